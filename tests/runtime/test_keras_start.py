"""stages/runtime/keras_start.py: in processes of their own, as Keras is imported once in each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages.runtime.keras_start import NOT_NEEDED

PROJECT = Path(__file__).parents[2]
IMPORTED = "\nimport json, sys; print(json.dumps(list(sys.modules)))"


def modules(code: str) -> set[str]:
    """All that is imported after some code."""
    command = [sys.executable, "-c", code + IMPORTED]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_keras_brings_tensorflow_and_nothing_that_no_stage_needs_of_it():
    found = modules("import stages.networks.models")
    assert {"keras", "tensorflow"} <= found
    assert not found & NOT_NEEDED


@pytest.mark.parametrize("first", [True, False])
def test_who_imports_the_others_gets_them(first):
    lines = ["import scipy.stats, sklearn.linear_model", "import stages, keras"]
    code = "\n".join(lines if first else reversed(lines))
    assert {"scipy.stats", "sklearn.linear_model", "keras"} <= modules(code)


def test_garbage_is_collected_once_keras_is_there():
    modules("import stages, keras, gc\nassert gc.isenabled() and gc.get_freeze_count() > 100_000")


def test_a_setting_of_the_garbage_collector_is_kept():
    modules("import gc; gc.disable()\nimport stages, keras\nassert not gc.isenabled()")


def test_an_import_that_fails_is_told_and_hides_nothing_afterwards(tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras/__init__.py").write_text("import no_such_module")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import stages
try:
    import keras
except ModuleNotFoundError as error:
    assert error.name == "no_such_module"
import scipy
"""
    assert "scipy" in modules(code)
