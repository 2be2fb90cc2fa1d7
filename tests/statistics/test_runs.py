"""Training runs as their stages left them, and what makes two of them no pair."""

from pathlib import Path

import numpy as np
import pytest

from stages.errors import StudyError
from stages.statistics.runs import CURVES, WATCHED, read_run, read_runs
from tests.made_study import MODELS, make_study


@pytest.fixture(autouse=True)
def _study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study()


def test_runs_come_network_by_network_with_the_names_readers_know():
    assert [run.name for run in read_runs(MODELS)] == [
        *("Tiny Cnn, transferred", "Tiny Cnn, fine-tuned"),
        *("Tiny Vit, transferred", "Tiny Vit, fine-tuned"),
    ]


def test_a_run_knows_its_card_its_curves_and_its_test_pictures():
    run = read_run("tiny_vit", "finetune")
    assert run.card["parameters"] == 2000
    assert run.curves.keys() == {(pictures, metric) for pictures in WATCHED for metric in CURVES}
    assert run.curves["train", "loss"].tolist() == [0.5, 0.75, pytest.approx(5 / 6)]
    assert len(run.predictions) == 36
    assert set(run.test.splits) == {"test"}
    assert len(run.correct) == len(run.test) == 12
    assert run.correct.sum() == np.sum(run.test.actual == run.test.predicted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Bird/1.png", "Bird/one.png"),
        ("Bird/1.png,0-0,train", "Bird/1.png,0-0,test"),
        ("Bird/1.png,0-0,train,Bird", "Bird/1.png,0-0,train,Tree"),
        ("predicted,Bird,Cat & <kitten>,Tree", "predicted,Tree,Bird,Cat & <kitten>"),
    ],
    ids=["file", "split", "class", "order of classes"],
)
def test_runs_that_saw_other_pictures_are_not_compared(old, new):
    path = Path("reports/predictions/tiny_vit-transfer.csv")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError) as error:
        read_runs(MODELS)
    assert str(error.value) == (
        "tiny_vit (transfer) and tiny_cnn (transfer) saw other pictures: "
        "`dvc repro` evaluates both on the present split"
    )


@pytest.mark.parametrize("name", ["tiny_cnn-finetune", "tiny_vit-transfer", "tiny_vit-finetune"])
def test_every_run_is_held_against_the_first(name):
    path = Path(f"reports/predictions/{name}.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("Tree/0.png", "Tree/zero.png"))
    with pytest.raises(StudyError, match=" saw other pictures") as error:
        read_runs(MODELS)
    assert str(error.value).startswith(name.replace("-", " (") + ") and tiny_cnn (transfer)")


def test_a_missing_curve_is_named():
    Path("reports/training/tiny_cnn-finetune/plots/metrics/validation/loss.tsv").unlink()
    with pytest.raises(StudyError, match=r"validation/loss\.tsv is missing: `dvc repro` makes it"):
        read_runs(MODELS)
