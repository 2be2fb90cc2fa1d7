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
        ("Bird/1.png,0-0,train,2,Bird", "Bird/1.png,0-0,train,2,Tree"),
        ("Bird/1.png,0-0,train,2", "Bird/1.png,0-0,train,3"),
        ("predicted,Bird,Cat & <kitten>,Tree", "predicted,Tree,Bird,Cat & <kitten>"),
    ],
    ids=["file", "split", "class", "fold", "order of classes"],
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


def test_a_head_is_tested_on_every_fold_and_a_tuned_network_on_those_asked_for(tmp_path):
    make_study(folds=(2,))
    head, tuned, *_ = read_runs(MODELS, tuned_folds=(2,))
    assert len(head.cross_fitted) == len(head.predictions) == 36
    assert set(tuned.cross_fitted.folds.tolist()) == {0, 2}
    assert len(tuned.cross_fitted) == 12 + 12
    for run in (head, tuned):
        files = run.cross_fitted.files.tolist()
        assert files == sorted(files)
        assert set(run.test.files.tolist()) <= set(files)
        right = run.cross_fitted.actual == run.cross_fitted.predicted
        assert run.cross_fitted_correct.tolist() == right.tolist()
        ours = run.cross_fitted.where(run.cross_fitted.folds == 0)
        assert np.array_equal(
            ours.probability, run.test.where(np.argsort(run.test.files)).probability
        )


def test_without_further_folds_a_run_is_what_it_is_on_the_test_pictures():
    head, tuned, *_ = read_runs(MODELS, tuned_folds=())
    assert (len(head.cross_fitted), len(tuned.cross_fitted)) == (36, 12)
    assert [len(run.cross_fitted) for run in read_runs(MODELS)] == [12] * 4


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tiny_vit-transfer", "Bird/1.png", "Bird/one.png"),
        ("tiny_vit-transfer", "Bird/1.png,0-0,test,2", "Bird/1.png,0-0,test,3"),
        ("tiny_cnn-finetune-2", "Bird/1.png,0-0", "Bird/1.png,0-7"),
        ("tiny_cnn-finetune-2", "predicted,Bird,Cat & <kitten>", "predicted,Cat & <kitten>,Bird"),
        ("tiny_cnn-finetune-3", "predicted,Bird,Cat & <kitten>", "predicted,Cat & <kitten>,Bird"),
    ],
    ids=["file", "fold", "group", "order of classes", "order of classes, later"],
)
def test_folds_with_other_pictures_than_the_split_are_not_pooled(name, old, new):
    make_study(folds=(2, 3))
    path = Path(f"reports/folds/{name}.csv")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError, match=r"^reports/folds has other pictures of tiny_") as error:
        read_runs(MODELS, tuned_folds=(2, 3))
    assert str(error.value).endswith("`dvc repro` makes them on the present folds")


def test_a_fold_that_was_not_made_is_named():
    with pytest.raises(StudyError, match=r"folds/tiny_cnn-finetune-2\.csv is missing: `dvc repro`"):
        read_runs(MODELS, tuned_folds=(2,))
