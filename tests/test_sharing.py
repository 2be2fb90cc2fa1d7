"""What a colleague gets: a clone of the project and what was pushed to a remote."""

from pathlib import Path

import pytest

from tests.tiny_study import dvc, repro, run, stages_run


@pytest.fixture
def clone(tiny_study, tmp_path, monkeypatch) -> Path:
    """A colleague's, with nothing of DVC's yet."""
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    run(tmp_path, "git", "clone", "--quiet", str(tiny_study), "vitoon")
    (tmp_path / "pictures").symlink_to(tiny_study.parent / "pictures")
    return tmp_path / "vitoon"


def test_who_pulls_the_results_has_nothing_to_run(tiny_study, clone, tmp_path):
    dvc(tiny_study, "remote", "add", "--local", "store", str(tmp_path / "store"))
    dvc(tiny_study, "push", "--quiet", "--remote", "store")
    dvc(clone, "remote", "add", "--local", "store", str(tmp_path / "store"))
    dvc(clone, "pull", "--quiet", "--remote", "store")
    assert stages_run(repro(clone)) == set()
    assert dvc(clone, "status", "--quiet") == ""
    assert run(clone, "git", "status", "--porcelain") == ""
    for file in ("reports/report.html", "models/tiny_vit/finetune/backbone.safetensors"):
        assert (clone / file).read_bytes() == (tiny_study / file).read_bytes()
