"""The published study's figures come out of predictions built to match its matrices.

Its report gives F1 per class, accuracy and macro averages to two digits, on 15 test pictures a
class. For each run there are whole numbers of right and of predicted pictures that give them all.
"""

import numpy as np
import pytest

from stages.figures.perfect_classes import perfect_classes
from stages.statistics.runs import Run
from stages.statistics.scores import confusion, per_class, summary
from tests.statistics.test_scores import predictions

CLASSES = ("Bird", "Car", "Cat", "Dog", "Flower", "Panda", "Penguin", "Plane", "Tiger", "Tree")
EACH = 15
# Per class: right pictures, predicted pictures; then what was published.
RUNS = {
    "MobileNetV2": (
        [(12, 12), (13, 15), (15, 22), (12, 18), (14, 15), (13, 13), (12, 12), (15, 15), (12, 15),
         (13, 13)],
        [0.89, 0.87, 0.81, 0.73, 0.93, 0.93, 0.89, 1, 0.80, 0.93],
        (0.87, 0.89, 0.87, 0.88), 0.1,
    ),
    "tuned MobileNetV2": (
        [(12, 12), (15, 15), (15, 23), (10, 13), (15, 16), (15, 15), (13, 13), (15, 16), (13, 13),
         (14, 14)],
        [0.89, 1, 0.79, 0.71, 0.97, 1, 0.93, 0.97, 0.93, 0.97],
        (0.91, 0.93, 0.91, 0.92), 0.2,
    ),
    "ViT": (
        [(13, 14), (15, 15), (11, 12), (15, 20), (15, 15), (14, 14), (13, 13), (14, 14), (15, 18),
         (15, 15)],
        [0.90, 1, 0.81, 0.86, 1, 0.97, 0.93, 0.97, 0.91, 1],
        (0.93, 0.94, 0.93, 0.93), 0.3,
    ),
    "tuned ViT": (
        [(14, 16), (15, 15), (13, 15), (14, 15), (15, 15), (15, 15), (13, 13), (15, 15), (15, 16),
         (15, 15)],
        [0.90, 1, 0.87, 0.93, 1, 1, 0.93, 1, 0.97, 1],
        (0.96, 0.96, 0.96, 0.96), 0.5,
    ),
}  # fmt: skip


def said_by(margins):
    """Predictions with these diagonals and columns: what is missed goes where too many are."""
    right, predicted = np.array(margins).T
    actual = np.repeat(np.arange(len(CLASSES)), EACH)
    said = actual.copy()
    spare = predicted - right
    for label in range(len(CLASSES)):
        for picture in range(EACH * label, EACH * label + EACH - right[label]):
            other = max((k for k in range(len(CLASSES)) if k != label), key=lambda k: spare[k])
            said[picture] = other
            spare[other] -= 1
    assert not spare.any()
    return predictions(actual, said, CLASSES)


@pytest.mark.parametrize("name", RUNS)
def test_the_published_figures_come_out(name):
    margins, f1, averages, perfect = RUNS[name]
    said = said_by(margins)
    assert confusion(said).sum(axis=1).tolist() == [EACH] * len(CLASSES)
    assert [round(row["f1"] + 1e-9, 2) for row in per_class(said)] == f1
    found = summary(said)
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    assert tuple(found[key] for key in names) == pytest.approx(averages, abs=0.0051)
    run = Run("vit", "finetune", {"title": name}, said, {})
    assert len(perfect_classes(run)) / len(CLASSES) == perfect
