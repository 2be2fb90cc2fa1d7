import numpy as np

from stages import evaluate
from stages.pictures import datasets
from stages.statistics import scores
from stages.tables import write_table

LISTING = datasets.Listing(
    files=["Cat/a.png", "Cat/b.png", "Dog/c.png", "Dog/d.png"],
    groups=["0", "1", "2", "2"],
    splits=np.array(["validation", "test", "test", "train"]),
    classes=["Cat", "Dog"],
    labels=np.array([0, 0, 1, 1]),
)


class Logits:
    """A network that gives the logits it is told, batch after batch."""

    def __init__(self, logits: np.ndarray) -> None:
        self.left = logits.astype(np.float32)

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        given, self.left = np.split(self.left, [len(batch)])
        return given


def said(tmp_path, probability: np.ndarray) -> scores.Predictions:
    columns = (*scores.COLUMNS, *LISTING.classes)
    write_table(tmp_path / "p.csv", columns, evaluate.prediction_rows(LISTING, probability))
    return scores.read_predictions(tmp_path / "p.csv")


def test_probabilities_are_the_softmax_of_the_logits_also_of_large_ones():
    count = evaluate.BATCH + 3
    logits = np.tile([1000.0, 1000.0 + np.log(3)], (count, 1))
    found = evaluate.predict(Logits(logits), np.zeros((count, 1, 2, 2, 3), np.uint8))
    assert found.shape == (count, 2)
    assert np.allclose(found, [0.25, 0.75], atol=1e-4)


def test_every_picture_is_a_row_with_the_probability_of_every_class(tmp_path):
    table = said(tmp_path, np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]))
    assert table.files.tolist() == LISTING.files
    assert table.predicted.tolist() == [0, 1, 1, 0]
    assert table.probability[1].tolist() == [0.2, 0.8]


def test_scores_hold_each_class_and_two_averages_of_each_split(tmp_path):
    table = said(tmp_path, np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]))
    rows = [row for row in evaluate.score_rows(table) if row["split"] == "test"]
    names = ["Cat", "Dog", "macro average", "weighted average"]
    assert [row["class"] for row in rows] == names
    assert [row["precision"] for row in rows] == [0.0, 0.5, 0.25, 0.25]
