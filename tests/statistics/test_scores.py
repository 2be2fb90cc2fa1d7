"""Scores against scikit-learn and hand-counted cases."""

import csv

import numpy as np
import pytest
from sklearn import metrics

from stages.errors import StudyError
from stages.statistics.scores import (
    COLUMNS,
    Predictions,
    confusion,
    per_class,
    read_predictions,
    summary,
)


def predictions(actual, predicted, classes, probability=None):
    """Predictions on a test set, certain of what they say unless told otherwise."""
    count = len(actual)
    if probability is None:
        probability = np.eye(len(classes))[predicted]
    names = np.array([f"{i}.png" for i in range(count)])
    split = np.full(count, "test")
    return Predictions(
        tuple(classes),
        names,
        names,
        split,
        np.zeros(count, int),
        np.array(actual),
        np.array(predicted),
        probability,
    )


def random_predictions(count=300, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(classes), count)
    names = [f"class {i}" for i in range(classes)]
    actual = rng.integers(classes, size=count)
    return predictions(actual, probability.argmax(axis=1), names, probability)


def write(path, header, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_log_loss_is_that_of_scikit_learn():
    said = random_predictions()
    expected = metrics.log_loss(said.actual, said.probability, labels=range(7))
    assert summary(said)["log_loss"] == pytest.approx(expected)


def test_certainty_in_the_wrong_class_has_a_finite_loss():
    said = predictions([0], [1], ["Cat", "Dog"])
    assert summary(said)["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_averages_are_those_of_scikit_learns_report():
    said = random_predictions()
    report = metrics.classification_report(
        said.actual, said.predicted, output_dict=True, zero_division=0
    )
    figures = summary(said)
    assert figures["accuracy"] == pytest.approx(report["accuracy"])
    for average in ("macro", "weighted"):
        for name, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            expected = report[f"{average} avg"][theirs]
            assert figures[f"{average}_{name}"] == pytest.approx(expected)


def test_two_cats_of_which_one_is_called_a_dog():
    rows = per_class(predictions([0, 0, 1], [0, 1, 1], ["Cat", "Dog"]))
    cat = {"class": "Cat", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    dog = {"class": "Dog", "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert rows == [{**cat, "support": 2}, {**dog, "support": 1}]


def test_a_class_that_is_never_said_scores_nothing_and_warns_of_nothing():
    rows = per_class(predictions([0, 1], [0, 0], ["Cat", "Dog"]))
    assert rows[1] == {"class": "Dog", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}


def test_confusion_has_actual_classes_in_rows():
    said = predictions([0, 0, 1], [0, 1, 1], ["Cat", "Dog", "Tree"])
    assert confusion(said).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = write(
        tmp_path / "p.csv",
        [*COLUMNS, "Cat", "Dog #2"],
        ["Cat/a, b.png", "g1", "train", 3, "Cat", "Cat", "0.75", "0.25"],
        ["Dog #2/c.png", "g2", "test", 0, "Dog #2", "Cat", "6e-01", "0.4"],
    )
    test = read_predictions(path).of("test")
    assert (test.classes, test.files.tolist()) == (("Cat", "Dog #2"), ["Dog #2/c.png"])
    assert (test.actual.tolist(), test.predicted.tolist()) == ([1], [0])
    assert test.probability.tolist() == [[0.6, 0.4]]
    assert read_predictions(path).files[0] == "Cat/a, b.png"
    assert read_predictions(path).folds.tolist() == [3, 0]


def test_what_is_no_table_of_predictions_is_named(tmp_path):
    with pytest.raises(StudyError, match="missing"):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(StudyError, match=r"empty\.csv is no table of predictions"):
        read_predictions(tmp_path / "empty.csv")
    with pytest.raises(StudyError, match="no table of predictions"):
        read_predictions(write(tmp_path / "other.csv", ["file", "class"], ["a", "b"]))
    with pytest.raises(StudyError, match="has no rows"):
        read_predictions(write(tmp_path / "headed.csv", [*COLUMNS, "A", "B"]))
    cut = write(tmp_path / "cut.csv", [*COLUMNS, "A", "B"], ["a", "g", "test", 0, "A", "A", 1])
    with pytest.raises(StudyError, match=r"cut\.csv cannot be read: .*column"):
        read_predictions(cut)
    stray = write(tmp_path / "s.csv", [*COLUMNS, "A", "B"], ["a", "g", "test", 0, "C", "A", 1, 0])
    with pytest.raises(StudyError, match="class 'C' has no column"):
        read_predictions(stray)
    odd = write(tmp_path / "o.csv", [*COLUMNS, "A", "B"], ["a", "g", "test", "x", "A", "A", 1, 0])
    with pytest.raises(StudyError, match=r"o\.csv cannot be read: .*'x'"):
        read_predictions(odd)


@pytest.mark.parametrize(
    "header",
    [
        [*COLUMNS, "A"],  # one class alone cannot be told from another
        ["file", "group", "split", "fold", "predicted", "actual", "A", "B"],
        [*COLUMNS[1:], "A", "B", "C"],
    ],
)
def test_a_table_with_other_columns_is_none_of_predictions(tmp_path, header):
    row = ["a"] * 6 + ["1"] * (len(header) - 6)
    with pytest.raises(
        StudyError, match=r"it needs file, group, split, fold, actual, predicted, …"
    ):
        read_predictions(write(tmp_path / "p.csv", header, row))


def test_two_classes_make_a_table_of_predictions(tmp_path):
    row = ["a", "g", "test", 0, "B", "A", "0.7", "0.3"]
    said = read_predictions(write(tmp_path / "p.csv", [*COLUMNS, "A", "B"], row))
    assert len(said) == 1
    assert (said.groups.tolist(), said.splits.tolist()) == (["g"], ["test"])


def test_a_sure_and_right_prediction_has_no_loss():
    assert summary(predictions([0], [0], ["Cat", "Dog"]))["log_loss"] == 0
    said = predictions([0], [0], ["Cat", "Dog"], np.array([[1.0000001, 0.0]]))  # float32's sum
    assert summary(said)["log_loss"] == 0


def test_a_class_that_is_neither_there_nor_said_counts_in_the_mean_of_all():
    figures = summary(predictions([0, 1], [0, 1], ["Cat", "Dog", "Tree"]))
    assert figures["macro_f1"] == pytest.approx(2 / 3)
    assert figures["weighted_f1"] == 1
