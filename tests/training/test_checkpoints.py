import contextlib
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.errors import StudyError
from stages.training.checkpoints import FOLDER, Checkpoint, fingerprint

FIGURES = [{"loss": 0.1, "val_loss": 1 / 3}]
ARRAYS = {"state.0": np.arange(6, dtype=np.float32).reshape(2, 3), "state.1": np.array(7)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(key: str = "key") -> None:
    """Leave a checkpoint behind, as a training does that fails."""
    with contextlib.suppress(KeyboardInterrupt), Checkpoint("run", key) as checkpoint:
        checkpoint.save(FIGURES, ARRAYS)
        raise KeyboardInterrupt


def test_what_was_saved_is_there_for_the_next_one():
    kept()
    with Checkpoint("run", "key") as checkpoint:
        figures, arrays = checkpoint.load()
    assert figures == FIGURES
    assert arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_nothing_is_left_after_the_end():
    kept()
    with Checkpoint("run", "key"):
        pass
    with Checkpoint("run", "key") as checkpoint:
        assert checkpoint.load() == ([], {})
    assert [path.name for path in FOLDER.iterdir()] == ["run.lock"]


def test_another_training_does_not_go_on_from_it():
    kept()
    with Checkpoint("run", "another key") as checkpoint:
        assert checkpoint.load() == ([], {})


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"\xff" * 100])
def test_a_damaged_file_is_named_and_left_behind(damage, capsys):
    kept()
    (FOLDER / "run.safetensors").write_bytes(damage)
    with Checkpoint("run", "key") as checkpoint:
        assert checkpoint.load() == ([], {})
    assert "run.safetensors is damaged" in capsys.readouterr().out


def test_a_cut_file_is_not_gone_on_from():
    kept()
    whole = (FOLDER / "run.safetensors").read_bytes()
    (FOLDER / "run.safetensors").write_bytes(whole[:-5])
    with Checkpoint("run", "key") as checkpoint:
        assert checkpoint.load() == ([], {})


def test_two_processes_do_not_train_the_same_at_once():
    held = "import sys; from stages.training.checkpoints import Checkpoint\n"
    held += "with Checkpoint('run', 'key'): print('in', flush=True); sys.stdin.read()"
    project = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", held],
        env={"PYTHONPATH": project},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(StudyError, match="another process"), Checkpoint("run", "key"):
            pass
        other.stdin.close()
    with Checkpoint("run", "key"):
        pass


def test_a_disk_without_room_leaves_the_epoch_before(capfd):
    kept()
    checkpoint = Checkpoint("run", "key")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # Python ignores its signal
    try:
        with pytest.raises(StudyError, match=r"is the disk full\? .* after epoch 1"):
            checkpoint.save([*FIGURES, *FIGURES], {"large": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Checkpoint("run", "key") as checkpoint:
        assert checkpoint.load()[0] == FIGURES


def test_a_fingerprint_knows_every_value_and_its_type():
    values = np.zeros((3, 4), np.float32)
    other = values.copy()
    other[2, 3] = 1e-30
    others = [other, values.astype(np.float64), values.reshape(4, 3), "text", 0, {"a": 0.0}]
    prints = [fingerprint(part) for part in (values, *others)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(values, 1) == fingerprint(values.copy(), 1) != fingerprint(1, values)


def test_a_fingerprint_takes_nothing_that_prints_as_its_place_in_memory():
    with pytest.raises(TypeError, match="not JSON serializable"):
        fingerprint(object())


def test_a_fingerprint_of_a_mapped_file_is_that_of_its_values(folder):
    values = np.random.default_rng(0).normal(size=(50, 7))
    np.save(folder / "values.npy", values)
    assert fingerprint(np.load(folder / "values.npy", mmap_mode="r")) == fingerprint(values)
