"""Pictures that runs, taken together, do not believe to be what their folder says."""

import numpy as np
import pytest

from stages.statistics.label_errors import label_issues
from stages.statistics.runs import Run
from stages.statistics.scores import Predictions

CLASSES = ("Bird", "Cat", "Tree")


def run(splits, actual, probability, classes=CLASSES):
    probability = np.array(probability, float)
    files = np.array([f"{number}.png" for number in range(len(actual))])
    said = Predictions(
        tuple(classes),
        files,
        files,
        np.array(splits),
        np.zeros(len(actual), int),
        np.array(actual),
        probability.argmax(axis=1),
        probability,
    )
    return Run("net", "transfer", {"title": "Net"}, said, {})


def sure(classes, count=3, strength=0.9):
    return strength * np.eye(count)[classes] + (1 - strength) / count


LABELS = [0, 1, 2] * 10


def test_a_picture_filed_wrongly_is_named_with_its_better_class_and_what_is_believed_of_it():
    looks = list(LABELS)
    looks[7] = 2  # filed as a cat
    (found,) = label_issues([run(["test"] * 30, LABELS, sure(looks))])
    assert (found.file, found.given, found.suggested) == ("7.png", "Cat", "Tree")
    assert found.self_confidence == pytest.approx(0.1 / 3)


def test_only_pictures_that_no_run_was_trained_on_are_looked_at():
    looks = list(LABELS)
    looks[0], looks[1], looks[2] = 1, 2, 0
    splits = ["train", "validation", "test", *["test"] * 27]
    assert {found.file for found in label_issues([run(splits, LABELS, sure(looks))])} == {
        "1.png",
        "2.png",
    }


def test_the_least_believed_come_first():
    probability = sure(LABELS)
    probability[3], probability[4] = [0.03, 0.94, 0.03], [0.96, 0.02, 0.02]
    found = label_issues([run(["test"] * 30, LABELS, probability)])
    assert [(one.file, one.self_confidence) for one in found] == [("4.png", 0.02), ("3.png", 0.03)]


def test_runs_are_taken_together():
    doubts = sure(LABELS)
    doubts[0] = [0.02, 0.96, 0.02]
    lone = run(["test"] * 30, LABELS, doubts)
    others = run(["test"] * 30, LABELS, sure(LABELS))
    assert [found.file for found in label_issues([lone])] == ["0.png"]
    assert label_issues([lone, others, others]) == []


def test_a_class_without_a_held_out_picture_is_nobodys_suggestion():
    """And what the runs give to it, is shared out among the others."""
    classes = ("Ant", *CLASSES)
    labels = [position + 1 for position in LABELS]
    probability = 0.4 * sure(labels, 4)
    probability[:, 0] += 0.6
    probability[5] = [0.9, 0.098, 0.001, 0.001]  # filed as a tree
    (found,) = label_issues([run(["test"] * 30, labels, probability, classes)])
    assert (found.file, found.given, found.suggested) == ("5.png", "Tree", "Bird")
    assert found.self_confidence == 0.001


def test_one_class_alone_leaves_nothing_to_doubt():
    assert label_issues([run(["test"] * 5, [0] * 5, sure([0, 1, 0, 2, 0]))]) == []
