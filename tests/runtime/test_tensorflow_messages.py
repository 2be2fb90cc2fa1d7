"""stages/runtime/tensorflow_messages.py: real processes, as their stderr is that of C++ too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.runtime import tensorflow_messages

PROJECT = Path(__file__).parents[2]
WORK = """
import stages.networks.models
import tensorflow as tf
tf.config.list_physical_devices("GPU")
assert tf.function(lambda x: 2 * x, jit_compile=True)(tf.ones(3)).numpy().sum() == 6
"""


def said(code: str, **variables: str) -> subprocess.CompletedProcess:
    """A process that runs some code with stages on its path, and no level set but those given."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")}
    env |= {"PYTHONPATH": str(PROJECT)} | variables
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def made_up(folder: Path, code: str) -> str:
    """A package that is found in place of TensorFlow, whose own import is not made to fail."""
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow/__init__.py").write_text(code)
    return f"{folder}{os.pathsep}{PROJECT}"


def test_tensorflow_starts_and_works_without_a_word():
    done = said(WORK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_user_who_sets_the_level_hears_all_of_it():
    done = said("import stages, tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert "cudart_stub" in done.stderr or "cpu_feature_guard" in done.stderr


def test_a_process_that_a_stage_starts_is_as_quiet():
    code = """
import stages, subprocess, sys
subprocess.run([sys.executable, "-c", "import stages, tensorflow"], check=True)
"""
    assert said(code).stderr == ""


def test_an_import_that_fails_shows_what_was_written_and_its_traceback(tmp_path):
    code = "import os\nos.write(2, b'libmissing.so: cannot open\\n')\nimport no_such_module"
    done = said("import stages, tensorflow", PYTHONPATH=made_up(tmp_path, code))
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first == "libmissing.so: cannot open"
    assert last == "ModuleNotFoundError: No module named 'no_such_module'"


def test_a_process_that_dies_while_it_imports_shows_where(tmp_path):
    done = said("import stages, tensorflow", PYTHONPATH=made_up(tmp_path, "import os\nos.abort()"))
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in done.stderr
    assert "tensorflow/__init__.py" in done.stderr


def test_what_is_written_after_the_import_shows(tmp_path):
    path = made_up(tmp_path, "import os\nos.write(2, b'noise')")
    done = said("import stages, tensorflow, os\nos.write(2, b'an error')", PYTHONPATH=path)
    assert done.stderr == "an error"


def test_without_tensorflow_the_error_is_pythons_own():
    done = said("import stages, sys\nsys.path = ['.']\nimport tensorflow")
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'tensorflow'"


@pytest.mark.parametrize(("gpu", "level"), [(True, "2"), (False, "3")])
def test_errors_of_cuda_show_on_a_machine_with_a_gpu_alone(monkeypatch, gpu, level):
    """Whether there is one is made up: no machine has both."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    monkeypatch.setattr(tensorflow_messages, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    tensorflow_messages.quieten()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == level
