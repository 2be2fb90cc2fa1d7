import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.errors import InterruptedStageError, StudyError
from stages.training import loop
from stages.training.determinism import make_reproducible
from stages.training.learning_curve import Curve, in_words
from tests.training.small_training import EVERYTHING, PLAIN, parts, trained

make_reproducible(0)  # while tests are collected: TensorFlow takes no settings once it has worked

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written() -> dict[str, bytes]:
    """All files that a training leaves in the current folder."""
    files = (
        path for path in sorted(Path().rglob("*")) if path.is_file() and path.suffix != ".lock"
    )
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize(("patience", "epoch"), [(6, 1), (0, PLAIN.epochs)])
def test_training_leaves_the_weights_of_the_epoch_it_chooses(patience, epoch):
    settings = PLAIN.model_copy(update={"patience": patience})
    trainer, batches, validation = parts(settings, truth=False)  # each epoch is worse than the last
    with loop.checkpoint("small", trainer, batches, validation) as kept:
        chosen = loop.train(trainer, batches, validation, Path("curve"), kept)
    figures = trainer.validate(validation)
    assert chosen["epoch"] == epoch
    assert figures["val_loss"] == pytest.approx(chosen["validation_loss"], rel=1e-6)
    assert figures["val_accuracy"] == chosen["validation_accuracy"]


def test_training_stops_when_validation_has_not_fallen_for_the_patience():
    trained(PLAIN.model_copy(update={"patience": 2}), truth=False)
    table = Path("curve/plots/metrics/validation/loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in table] == ["step", "1", "2", "3"]


def test_training_learns():
    _, best = trained(PLAIN)
    assert best["validation_accuracy"] >= 0.9


def test_an_interrupted_training_keeps_the_curve_of_the_epochs_it_had(monkeypatch):
    interrupt_in(monkeypatch, epoch=3)
    with pytest.raises(InterruptedStageError, match="goes on after epoch 2"):
        trained(PLAIN)
    table = Path("curve/plots/metrics/validation/accuracy.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in table] == ["step", "1", "2"]


@pytest.mark.parametrize("epoch", [1, 2, 7, EVERYTHING.epochs])
def test_an_interrupted_training_ends_in_the_same_bytes(monkeypatch, epoch, tmp_path):
    trained(EVERYTHING)
    whole = written()
    clean_up()
    with monkeypatch.context() as patch:
        interrupt_in(patch, epoch)
        with pytest.raises(InterruptedStageError):
            trained(EVERYTHING)
    shutil.rmtree("curve")  # as DVC does before it runs a stage again
    trained(EVERYTHING)
    assert written() == whole


def interrupt_in(monkeypatch, epoch: int) -> None:
    one_epoch, count = loop.one_epoch, iter(range(1, 100))

    def interrupted(*arguments):
        if next(count) == epoch:
            raise KeyboardInterrupt
        return one_epoch(*arguments)

    monkeypatch.setattr(loop, "one_epoch", interrupted)


def clean_up() -> None:
    shutil.rmtree("curve")
    Path("model.safetensors").unlink()


def test_a_training_of_other_settings_starts_again(monkeypatch, capsys):
    with monkeypatch.context() as patch:
        interrupt_in(patch, 3)
        with pytest.raises(InterruptedStageError):
            trained(EVERYTHING)
    trained(EVERYTHING.model_copy(update={"mixup": 0.2}))
    assert "goes on" not in capsys.readouterr().out


def test_a_training_killed_again_and_again_ends_in_the_same_bytes(folder):
    command = [sys.executable, "-m", "tests.training.small_training"]
    for name in ("whole", "killed"):
        Path(name).mkdir()
    subprocess.run([*command, str(folder / "whole"), "0"], cwd=PROJECT, check=True)
    rng, kills = random.Random(0), 0
    for _ in range(3):
        run = subprocess.Popen(
            [*command, str(folder / "killed"), "0.1"], cwd=PROJECT, stdout=subprocess.PIPE
        )
        for line in run.stdout:
            if line.startswith(b"epoch") and rng.random() < 0.4:
                run.kill()
        kills += run.wait() == -9
        run.stdout.close()
        shutil.rmtree("killed/curve")
    assert kills == 3
    last = subprocess.run(
        [*command, str(folder / "killed"), "0"], cwd=PROJECT, check=True, stdout=subprocess.PIPE
    )
    assert b"goes on after epoch" in last.stdout
    files = ("model.safetensors", *(f"curve/{path}" for path in curve_files("whole")))
    for file in files:
        assert Path("killed", file).read_bytes() == Path("whole", file).read_bytes(), file


def curve_files(run: str) -> list[Path]:
    found = sorted(path for path in Path(run, "curve").rglob("*") if path.is_file())
    assert found
    return [path.relative_to(Path(run, "curve")) for path in found]


def test_a_loss_that_is_no_number_ends_in_a_clear_error_and_keeps_the_epoch_before(monkeypatch):
    trainer, batches, validation = parts(PLAIN)
    epochs = iter([{"loss": 0.5, "accuracy": 0.5}, {"loss": np.nan, "accuracy": 0.5}])
    monkeypatch.setattr(loop, "one_epoch", lambda *_: next(epochs))  # no such data is at hand
    with (
        pytest.raises(StudyError, match=r"loss became nan in epoch 2: lower the learning rate"),
        loop.checkpoint("small", trainer, batches, validation) as kept,
    ):
        loop.train(trainer, batches, validation, Path("curve"), kept)
    assert len(kept.load()[0]) == 1


def test_inputs_that_are_no_numbers_give_a_clear_error():
    trainer, batches, validation = parts(PLAIN)
    batches.inputs = np.full_like(batches.inputs, np.nan)
    with (
        pytest.raises(StudyError, match="lower the learning rate"),
        loop.checkpoint("small", trainer, batches, validation) as kept,
    ):
        loop.train(trainer, batches, validation, Path("curve"), kept)


def test_the_curve_writes_nothing_outside_its_folder(folder):
    curve = Curve(Path("curve"), epochs=2, done=[])
    curve.add(1, {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5})
    curve.end()
    assert [path.name for path in folder.iterdir()] == ["curve"]


def test_a_log_shows_the_last_epoch_of_a_short_training(capsys):
    trained(PLAIN)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["6/6"]


def test_a_terminal_shows_every_epoch(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)  # a training on a pty takes a process
    trained(PLAIN)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == [f"{epoch}/6" for epoch in range(1, 7)]


def test_a_training_in_words_names_the_epoch_whose_weights_stay():
    chosen = {"epoch": 11, "validation_loss": 0.4301, "validation_accuracy": 0.8843}
    assert in_words(chosen) == "weights of epoch 11, validation accuracy 0.884, loss 0.430"
