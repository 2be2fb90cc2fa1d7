import json

import numpy as np
import pytest

from stages import evaluate
from stages.networks import models
from stages.statistics import scores
from stages.tables import write_json, write_table

LOGITS = np.log([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]).astype(np.float32)
CARD = {"classes": ["Cat", "Dog"]}


@pytest.fixture
def evaluated(study) -> scores.Predictions:
    """Four pictures, of which one is of the training, and what a model said of them."""
    facts = [
        ("Cat/a.png", "Cat", 0, "validation", 1),
        ("Cat/b.png", "Cat", 1, "test", 0),
        ("Dog/c.png", "Dog", 2, "test", 0),
        ("Dog/d.png", "Dog", 2, "train", 2),
    ]
    columns = ("file", "class", "group", "split", "fold")
    rows = (dict(zip(columns, row, strict=True)) for row in facts)
    write_table("data/split.csv", columns, rows)
    folder = study / "models/tiny_cnn/transfer"
    write_json(folder / models.CARD, CARD)
    np.save(folder / models.LOGITS, LOGITS)
    evaluate.main("tiny_cnn", "transfer")
    return scores.read_predictions("reports/predictions/tiny_cnn-transfer.csv")


def test_every_picture_is_a_row_with_the_probability_of_every_class(evaluated):
    assert evaluated.files.tolist() == ["Cat/a.png", "Cat/b.png", "Dog/c.png", "Dog/d.png"]
    assert evaluated.splits.tolist() == ["validation", "test", "test", "train"]
    assert evaluated.folds.tolist() == [1, 0, 0, 2]
    assert evaluated.actual.tolist() == [0, 0, 1, 1]
    assert evaluated.predicted.tolist() == [0, 1, 1, 0]
    assert evaluated.probability[1] == pytest.approx([0.2, 0.8])


def test_scores_hold_each_class_and_two_averages_of_each_split(evaluated):
    rows = [row for row in evaluate.score_rows(evaluated) if row["split"] == "test"]
    names = ["Cat", "Dog", "macro average", "weighted average"]
    assert [row["class"] for row in rows] == names
    assert [row["precision"] for row in rows] == [0.0, 0.5, 0.25, 0.25]


def test_the_card_is_kept_apart_from_the_weights(evaluated, study):
    assert json.loads((study / "reports/cards/tiny_cnn-transfer.json").read_text()) == CARD
