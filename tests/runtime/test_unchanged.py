"""stages/runtime/unchanged.py: what is edited while a stage runs is not recorded as its maker."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages import params, source_code
from stages.errors import StudyError
from stages.runtime import unchanged
from stages.training.checkpoints import Checkpoint


@pytest.fixture
def begun(study, project, monkeypatch):
    """A study whose fingerprints are taken, in a process that DVC started for a stage."""
    shutil.copytree(project / "stages", study / "stages")
    shutil.copy(project / "requirements.txt", study)
    source_code.main()
    monkeypatch.setenv(unchanged.STAGE, "transfer@tiny_cnn")
    monkeypatch.setattr(params, "_loaded", {})
    monkeypatch.setattr(unchanged, "_recorded", {})
    return study


def replace(file: str, old: str, new: str) -> None:
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


def test_a_stage_ends_well_where_nothing_changed(begun):
    with unchanged.watched("transfer", ["tiny_cnn"]):
        params.load("transfer", "finetune.blocks")


@pytest.mark.parametrize("file", ["stages/transfer.py", "stages/zoo/tiny_cnn.py"])
def test_code_edited_before_the_stage_started_stops_it_at_once(begun, file):
    Path(file).write_text(Path(file).read_text() + "EDITED = True\n")
    with (
        pytest.raises(
            StudyError, match=f"{file} was changed after `dvc repro` began: run it again"
        ),
        unchanged.watched("transfer", ["tiny_cnn"]),
    ):
        pytest.fail("the stage began")


def test_code_edited_while_the_stage_runs_is_named_as_it_ends(begun):
    def stage():
        with unchanged.watched("transfer", ["tiny_cnn"]):
            replace("stages/training/trainer.py", "clip_norm / self", "clip_norm * self")

    with pytest.raises(StudyError, match=r"stages/training/trainer\.py was changed after"):
        stage()


def test_code_of_another_network_a_comment_and_a_file_that_is_gone(begun):
    with unchanged.watched("transfer", ["tiny_cnn"]):
        replace("stages/zoo/tiny_vit.py", '"""', '"""Well: ')
        replace("stages/transfer.py", "def main", "# a remark\ndef main")
        Path("stages/zoo/tiny_vit.py").unlink()

    def stage():
        with unchanged.watched("transfer", ["tiny_cnn"]):
            Path("stages/zoo/tiny_cnn.py").unlink()

    with pytest.raises(StudyError, match=r"stages/zoo/tiny_cnn\.py was changed"):
        stage()


def test_a_parameter_edited_while_the_stage_runs_is_named(begun):
    def stage():
        with unchanged.watched("transfer", ["tiny_cnn"]):
            params.load("seed", "transfer", "finetune.blocks")
            replace("params.yaml", "seed: 0", "seed: 7")

    with pytest.raises(StudyError, match=r"params\.yaml: seed was changed while this stage ran"):
        stage()


def test_a_parameter_that_the_stage_did_not_load_may_be_edited(begun):
    with unchanged.watched("transfer", ["tiny_cnn"]):
        params.load("transfer", "finetune.blocks")
        replace("params.yaml", "seed: 0", "seed: 7")


def test_the_checkpoint_of_a_training_stays_where_something_was_edited(begun):
    def training():
        with Checkpoint("tiny_cnn-transfer", "key") as kept:
            params.load("seed")
            kept.save([{"loss": 1.0}], {"x": np.zeros(3)})
            replace("params.yaml", "seed: 0", "seed: 7")

    with pytest.raises(StudyError, match="change it back"):
        training()
    replace("params.yaml", "seed: 7", "seed: 0")
    with Checkpoint("tiny_cnn-transfer", "key") as kept:
        assert kept.load()[0] == [{"loss": 1.0}]
    assert not kept.path.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\nkeras==3.1", "\nkeras==4.1", "requirements.txt: keras was pinned anew"),
        (None, None, r"keras 0\.1 is installed, requirements.txt pins 3\.1"),
    ],
)
def test_a_package_is_the_one_that_is_pinned(begun, monkeypatch, old, new, said):
    if old:
        replace("requirements.txt", old, new)
    else:  # no other version can be installed for a test
        real = unchanged.metadata.version
        monkeypatch.setattr(
            unchanged.metadata, "version", lambda name: "0.1" if name == "keras" else real(name)
        )
    with pytest.raises(StudyError, match=said), unchanged.watched("transfer", ["tiny_cnn"]):
        pytest.fail("the stage began")


def test_started_by_hand_a_stage_is_not_watched(begun, monkeypatch):
    monkeypatch.delenv(unchanged.STAGE)
    with unchanged.watched("transfer", ["tiny_cnn"]):
        params.load("seed")
        replace("params.yaml", "seed: 0", "seed: 7")
        replace("stages/transfer.py", "def main", "EDITED = True\n\n\ndef main")
