"""Runs of two revisions on the test pictures that both have, and what that shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.changes.results import Results
from stages.statistics.comparisons import SIGNIFICANT, discordant, holm, in_words
from stages.statistics.intervals import difference
from stages.statistics.runs import Run
from stages.statistics.scores import Predictions
from stages.statistics.seed_variation import points


@dataclass(frozen=True)
class Change:
    """A run of the base and one of the branch, mostly the same one, on the pictures of both."""

    before: Run
    after: Run
    low: float  # 95 % interval of the difference in accuracy
    high: float
    p: float  # of the same test as the interval, Holm-corrected for all changes looked at

    @property
    def name(self) -> str:
        names = dict.fromkeys([self.before.name, self.after.name])
        return " → ".join(names)

    @property
    def pictures(self) -> int:
        return len(self.after.test)

    @property
    def accuracies(self) -> tuple[float, float]:
        return float(self.before.correct.mean()), float(self.after.correct.mean())

    @property
    def difference(self) -> float:
        before, after = self.accuracies
        return after - before

    @property
    def only(self) -> tuple[int, int]:
        """Pictures that only the first, and that only the second gets right."""
        return discordant(self.before.correct, self.after.correct)

    @property
    def otherwise(self) -> int:
        """Pictures for which the two predict another class."""
        return int(np.sum(_labels(self.before) != _labels(self.after)))

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT


def changes(base: Results, branch: Results) -> list[Change]:
    """Each run of the branch against the same one of the base, and best against best.

    None where they share no test picture. Intervals and tests are the report's, over groups of near
    duplicates as the branch has them.
    """
    there, here = shared(base, branch)
    if not len(here):
        return []
    found = [_on_both(*pair, there, here) for pair in pairs(base, branch)]
    tests = [
        difference(after.correct, before.correct, after.test.groups) for before, after in found
    ]
    p_values = holm([test.p for test in tests])
    return [
        Change(*pair, *test.interval, p)
        for pair, test, p in zip(found, tests, p_values, strict=True)
    ]


def shared(base: Results, branch: Results) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the pictures, among the test pictures of each, that both test.

    A picture is its original file with its class: what it is called, and how it was converted,
    may have changed.
    """
    there = {base.pictures.get(file): place for place, file in enumerate(base.study.test.files)}
    there.pop(None, None)
    here = [branch.pictures.get(file) for file in branch.study.test.files]
    both = [(there[picture], place) for place, picture in enumerate(here) if picture in there]
    positions = np.array(both, dtype=int).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]


def pairs(base: Results, branch: Results) -> list[tuple[Run, Run]]:
    """The best of each first, then every run that both have."""
    before = {(run.model, run.phase): run for run in base.runs}
    same = [(before[key], run) for run in branch.runs if (key := (run.model, run.phase)) in before]
    best = (base.study.best, branch.study.best)
    return [best, *(pair for pair in same if pair[0] is not best[0] or pair[1] is not best[1])]


def verdict(found: Sequence[Change], base: Results) -> str:
    """The whole in one sentence, no surer than the tests: best runs first, then what stands out."""
    if not found:
        return f"No comparison: no test picture of {base.revision} is a test picture here."
    best, *others = found
    sentence = f"{_figures(best)}: {_conclusion(best)}"
    for word, sign in (("better", 1), ("worse", -1)):
        names = [c.name for c in others if c.significant and sign * c.difference > 0]
        if names:
            sentence += f"; significantly {word}: {' and '.join(names)}"
    return f"{sentence}."


def interval_in_words(change: Change) -> str:
    return f"{points(change.low, '+')} to {points(change.high, '+')}"


def _figures(change: Change) -> str:
    before, after = change.accuracies
    best = "" if change.before.name == change.after.name else "The best of each, "
    difference = f"{points(change.difference, '+')} percentage points"
    uncertainty = f"95 % CI {interval_in_words(change)}, {in_words(change.p)}"
    return f"{best}{change.name}: {before:.3f} → {after:.3f} ({difference}, {uncertainty})"


def _conclusion(change: Change) -> str:
    if not change.otherwise:
        return f"every one of the {change.pictures} shared test pictures is predicted as before"
    if change.significant:
        word = "better" if change.difference > 0 else "worse"
        return f"significantly {word} on the {change.pictures} shared test pictures"
    return f"no difference that these {change.pictures} test pictures can show"


def _on_both(before: Run, after: Run, there: np.ndarray, here: np.ndarray) -> tuple[Run, Run]:
    kept = after.test.where(here)
    seen = replace(before.test.where(there), groups=kept.groups)
    return replace(before, predictions=seen), replace(after, predictions=kept)


def _labels(run: Run) -> np.ndarray:
    return np.array(run.test.classes)[run.test.predicted]


def in_classes(predictions: Predictions, classes: Sequence[str]) -> Predictions:
    """The same predictions among more classes, which have probability 0."""
    place = np.array([classes.index(name) for name in predictions.classes])
    probability = np.zeros((len(predictions), len(classes)))
    probability[:, place] = predictions.probability
    return replace(
        predictions,
        classes=tuple(classes),
        actual=place[predictions.actual],
        predicted=place[predictions.predicted],
        probability=probability,
    )
