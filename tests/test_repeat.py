"""A repeat that cannot be made. One that can is in test_pipeline.py."""

import pytest

from stages import repeat
from stages.errors import ParameterError, StudyError


def test_a_failure_is_told_and_leaves_nothing(study, project, capfd):
    (study / "stages").symlink_to(project / "stages")
    killed = study / "models/tiny_cnn/repeat-1/data"
    killed.mkdir(parents=True)
    with pytest.raises(StudyError, match=r"^repeat-1: split failed, .* \(exit code 1\)$"):
        repeat.main("tiny_cnn", "1")
    assert "stages.split: data/rgb/manifest.csv is missing" in capfd.readouterr().err
    assert list(study.glob("models/*/*")) == []
    assert not (study / "reports").exists()


def test_a_seed_that_is_none_is_refused_before_anything_is_written(study):
    with pytest.raises(ParameterError, match=r"seed is .* allowed: a whole number"):
        repeat.main("tiny_cnn", "../x")
    assert not (study / "models").exists()
