"""How far results vary over seeds, each with a split and trainings of its own.

All seeds share their pictures, so their splits overlap, and a plain t interval would be too narrow.
It is widened as in C. Nadeau, Y. Bengio: Inference for the Generalization Error, Machine Learning
52, 2003.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from stages.statistics.intervals import LEVEL
from stages.statistics.runs import PHASES, Run
from stages.statistics.scores import summary
from stages.tables import read_table

SCORES = ("accuracy", "macro_f1")
MIN_SEEDS = 3  # seeds for an interval: of two it would span most of what there is


@dataclass(frozen=True)
class Repeats:
    """Scores on the test pictures of every run and every seed."""

    seeds: Sequence[int]  # the study's own is the first
    scores: dict[str, np.ndarray]  # by SCORES: float64 (runs, seeds)
    share: float  # test pictures for each training picture


@dataclass(frozen=True)
class Difference:
    """A score of one run minus that of another, which saw the same split, for each seed."""

    first: Run
    second: Run
    score: str
    values: np.ndarray  # float64 (seeds,)
    interval: tuple[float, float] | None

    @property
    def sentence(self) -> str:
        """About an accuracy."""
        low, middle, high = (
            points(value, "+")
            for value in (self.values.min(), self.values.mean(), self.values.max())
        )
        return (
            f"{self.first.name} against {self.second.name}: {middle} percentage points of accuracy "
            f"on average, {low} to {high} by seed; {self._conclusion}."
        )

    @property
    def _conclusion(self) -> str:
        if len(self.values) < MIN_SEEDS:
            return f"{len(self.values)} seeds are too few for an interval"
        if self.interval is None:
            return "all seeds agree, so that there is no interval"
        low, high = self.interval
        ci = f"95 % CI {points(low, '+')} to {points(high, '+')}"
        if low <= 0 <= high:
            return f"{ci}, not significant"
        return f"{ci}, significant"


def read_repeats(runs: Sequence[Run], seed: int, others: Sequence[int]) -> Repeats | None:
    """The study's own scores and those of its repeats; None where there are none.

    Raises StudyError where a repeat's table is missing.
    """
    if not others:
        return None
    seen = [[_own(run) for run in runs]]
    seen += [[_repeated(run, other) for run in runs] for other in others]
    table = np.array(seen)  # (seeds, runs, scores and share)
    scores = {name: table[:, :, place].T for place, name in enumerate(SCORES)}
    return Repeats((seed, *others), scores, float(table[:, :, -1].mean()))


def differences(runs: Sequence[Run], repeats: Repeats, score: str) -> list[Difference]:
    """What fine-tuning changed in each network, then every two networks in the same phase."""
    tuned = [(place + 1, place) for place in range(0, len(runs), len(PHASES))]
    networks = [
        (place, other)
        for other, place in combinations(range(len(runs)), 2)
        if runs[other].phase == runs[place].phase
    ]
    made = []
    for first, second in tuned + networks:
        values = repeats.scores[score][first] - repeats.scores[score][second]
        ends = interval(values, repeats.share)
        made.append(Difference(runs[first], runs[second], score, values, ends))
    return made


def interval(values: np.ndarray, share: float) -> tuple[float, float] | None:
    """95 % t interval of the mean over seeds, which share pictures (see above).

    None for too few seeds, and where all say the same: that is no proof that others would.
    """
    if len(values) < MIN_SEEDS or np.ptp(values) == 0:
        return None
    error = standard_deviation(values) * sqrt(1 / len(values) + share)
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error
    return float(values.mean()) - half, float(values.mean()) + half


def standard_deviation(values: np.ndarray) -> float:
    """Of a sample: divided by n - 1."""
    return float(np.std(values, ddof=1))


def _own(run: Run) -> list[float]:
    scores = summary(run.test)
    share = len(run.test) / len(run.predictions.of("train"))
    return [*(scores[name] for name in SCORES), share]


def _repeated(run: Run, seed: int) -> list[float]:
    table = read_table(Path("reports/repeats", f"{run.model}-{seed}.csv"))
    rows = {row["split"]: row for row in table if row["phase"] == run.phase}
    share = int(rows["test"]["images"]) / int(rows["train"]["images"])
    return [*(float(rows["test"][name]) for name in SCORES), share]


def points(share: float, sign: str = "") -> str:
    """A share in percentage points; with sign "+", its sign is written too."""
    return f"{round(100 * share, 1) + 0.0:{sign}.1f}".replace("-", "−")  # + 0.0: no minus zero
