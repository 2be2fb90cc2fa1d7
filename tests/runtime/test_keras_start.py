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


@pytest.mark.parametrize("first", ["keras", "tensorflow"])
def test_each_brings_the_other_and_nothing_that_no_stage_needs_of_it(first):
    collects = "import gc\nassert gc.isenabled() and gc.get_freeze_count() > 100_000"
    found = modules(f"import stages, {first}, keras\n{collects}")
    assert {"keras", "tensorflow"} <= found
    assert not found & NOT_NEEDED


def test_who_imports_the_others_gets_them_before_and_afterwards():
    code = "import gc; gc.disable()\nimport sklearn\nimport stages, keras\nimport matplotlib.pyplot"
    found = modules(code + "\nassert not gc.isenabled()")  # a setting that is kept
    assert {"sklearn", "matplotlib.pyplot", "keras"} <= found


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
