"""The card of a fine-tuned network: what it is for, how it was made, how well it does.

M. Mitchell et al.: Model Cards for Model Reporting, 2019, https://arxiv.org/abs/1810.03993; its
sections, as far as a study knows what belongs in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stages import zoo
from stages.metadata.markdown import code, counted, plain, render
from stages.metadata.picture_table import in_words
from stages.statistics import bootstrap, calibration
from stages.statistics.scores import (
    SPLITS,
    Predictions,
    confusion,
    losses,
    per_class,
    read_predictions,
    summary,
)
from stages.tables import read_json
from stages.zoo import Entry, Package, Published

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
FAMILIES = {
    "cnn": "convolutional neural network",
    "vit": "Vision Transformer",
    "hybrid": "convolutions and attention",
}
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
EACH = 3  # classes shown of the weakest, and of the strongest
FEW = 10  # test pictures of a class, below which its figures say little


@dataclass(frozen=True)
class Run:
    """A network after one phase of training, and what it says of every picture."""

    card: Mapping
    predictions: Predictions

    @cached_property
    def test(self) -> Predictions:
        return self.predictions.of("test")


def model_cards(models: Sequence[str], seed: int) -> Iterator[str]:
    """The card of each network of params.yaml, as Markdown; `seed` is that of the report's draws.

    Raises StudyError where a file of a network is missing.
    """
    drawn = None
    for model in models:
        head, tuned = (read_run(model, phase) for phase in ("transfer", "finetune"))
        if drawn is None:  # all runs have the same test pictures
            drawn = bootstrap.draws(tuned.test, seed)
        yield model_card(model, head, tuned, drawn)


def model_card(model: str, head: Run, tuned: Run, drawn: np.ndarray) -> str:
    entry = zoo.lookup(model).ENTRY
    temperature = calibration.fit_temperature(tuned.predictions.of("validation"))
    return render(
        TEMPLATE,
        {
            "model": model,
            "title": plain(entry.title),
            "classes": in_words([plain(name) for name in tuned.card["classes"]], most=20),
            "details": detail_rows(tuned.card, entry),
            "pretrained": entry.weights is not None,
            "trained": tuned.card["trained_parameters"],
            "parameters": tuned.card["parameters"],
            "epoch": tuned.card["chosen"]["epoch"],
            "settings": in_words(settings(tuned.card), most=99),
            "pictures": {split: len(tuned.predictions.of(split)) for split in SPLITS},
            "groups": len(np.unique(tuned.test.groups)),
            "metrics": metric_rows((head.test, tuned.test), drawn),
            "by_class": class_rows(tuned.test),
            "shown": EACH,
            "temperature": f"{temperature:.2f}",
            "calibration": calibration_rows(tuned.test, temperature),
            "limits": list(limits(tuned.test)),
            "example": json.dumps(str(tuned.test.files[0]), ensure_ascii=False),
        },
    )


def read_run(model: str, phase: str) -> Run:
    name = f"{model}-{phase}"
    card = read_json(Path("reports/cards", f"{name}.json"))
    return Run(card, read_predictions(Path("reports/predictions", f"{name}.csv")))


def detail_rows(card: Mapping, entry: Entry) -> list[list[str]]:
    size = card["image_size"]
    return [
        ["architecture", f"{plain(entry.title)} ({FAMILIES[entry.family]})"],
        ["paper", f"<{entry.paper}>" if entry.paper else "none"],
        *origin_rows(entry.weights, entry.licence),
        ["input", f"RGB in [-1, 1], {size} × {size} pixels, filled up with `{card['background']}`"],
        ["output", f"logits of {len(card['classes'])} classes"],
        ["parameters", f"{card['parameters']:,}"],
        ["size", f"{card['bytes']['weights'] / 1e6:.1f} MB, float32 as safetensors"],
    ]


def origin_rows(weights: Package | Published | None, licence: str) -> list[list[str]]:
    """Where the weights that training started from are from, and their licence."""
    if weights is None:
        return [["pretrained weights", "none: it starts from seeded random numbers"]]
    is_package = isinstance(weights, Package)
    place = f"package {code(weights.requirement)}" if is_package else f"<{weights.url}>"
    return [["pretrained weights", place], ["licence of these", licence]]


def settings(card: Mapping) -> list[str]:
    """Those of fine-tuning, as in params.yaml."""
    named = card["training"] | {"seed": card["seed"]}
    return [f"{name.replace('_', ' ')} {str(value).lower()}" for name, value in named.items()]


def metric_rows(runs: Sequence[Predictions], drawn: np.ndarray) -> list[list[str]]:
    """A row for each metric: its value and 95 % interval for each run on its test pictures."""
    scored = [scores_with_intervals(test, drawn) for test in runs]
    return [[title, *(cell for run in scored for cell in run[m])] for m, title in METRICS.items()]


def scores_with_intervals(test: Predictions, drawn: np.ndarray) -> dict[str, tuple[str, str]]:
    """Each of METRICS and its interval, as the report has them."""
    scores = summary(test)
    values = bootstrap.replicates(test, drawn)
    ends = {name: bootstrap.metric_interval(name, values[name], test) for name in METRICS}
    return {
        name: (f"{scores[name]:.3f}", f"{low:.3f} to {high:.3f}")
        for name, (low, high) in ends.items()
    }


def class_rows(test: Predictions) -> list[list[str]]:
    """The weakest classes by F1 and the strongest: F1, precision, recall, pictures, taken for."""
    matrix = confusion(test)
    np.fill_diagonal(matrix, 0)
    rows = sorted(enumerate(per_class(test)), key=lambda pair: (pair[1]["f1"], pair[0]))
    if len(rows) > 2 * EACH:
        rows = rows[:EACH] + rows[-EACH:]
    return [
        [
            plain(row["class"]),
            *(f"{row[name]:.2f}" for name in ("f1", "precision", "recall")),
            str(row["support"]),
            taken_for(matrix[place], test.classes),
        ]
        for place, row in rows
    ]


def taken_for(missed: np.ndarray, classes: Sequence[str]) -> str:
    """The class that most pictures were mistaken for, and how many; the first of equals."""
    return f"{plain(classes[missed.argmax()])} ({missed.max()})" if missed.any() else "–"


def calibration_rows(test: Predictions, temperature: float) -> list[list[str]]:
    """Expected calibration error and log loss, as trained and with scaled logits."""
    pairs = {"as trained": test, "scaled": calibration.temperature_scaled(test, temperature)}
    return [
        [name, f"{calibration.calibration_error(said):.3f}", f"{np.mean(losses(said)):.3f}"]
        for name, said in pairs.items()
    ]


def limits(test: Predictions) -> Iterator[str]:
    """What limits the use of a network, as far as its test pictures tell."""
    few = [plain(row["class"]) for row in per_class(test) if row["support"] < FEW]
    if few:
        yield (
            f"Of {in_words(few, most=10)} there are fewer than {FEW} test pictures: the figures of "
            "such a class say little."
        )
    wrong = int(np.sum(test.actual != test.predicted))
    if wrong:
        sure = calibration.confidence(test)[test.actual != test.predicted]
        yield (
            f"It is wrong on {counted(wrong, 'test picture')}, with a confidence of up to "
            f"{100 * np.max(sure):.0f} %."
        )
