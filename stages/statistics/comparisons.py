"""Whether one run is significantly better than another, on the pictures that both were tested on.

Those are the pictures of the folds that both have: all, for two transferred heads; the test
pictures, for a fine-tuned network of which no other fold was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np

from stages.statistics import intervals
from stages.statistics.runs import Run

SIGNIFICANT = 1 - intervals.LEVEL


@dataclass(frozen=True)
class Comparison:
    """Two runs, the first at least as accurate as the second on the pictures compared."""

    first: Run
    second: Run
    pictures: int
    folds: int  # that these are of; of 1, they are the test pictures
    only_first: int  # pictures that only this one gets right
    only_second: int
    low: float  # 95 % interval of the difference in accuracy
    high: float
    p: float  # of the same test as the interval, Holm-corrected for all comparisons made
    needed: int | None  # pictures that would settle it

    @property
    def difference(self) -> float:
        return (self.only_first - self.only_second) / self.pictures

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT

    @property
    def on(self) -> str:
        """The pictures, in words."""
        return f"{self.pictures:,} {'test ' if self.folds == 1 else ''}pictures"

    @property
    def sentence(self) -> str:
        points = f"{100 * self.difference:.1f} percentage points"
        points += f", 95 % CI {_range(self.low, self.high)}"
        if self.significant:
            better = f"{self.first.name} is significantly better than {self.second.name}"
            return f"{better} on {self.on}: {points}, {in_words(self.p)}."
        start = (
            f"{self.first.name} and {self.second.name} do not differ significantly on {self.on}: "
            f"{points}, {in_words(self.p)}"
        )
        if self.needed is None:
            return f"{start}."
        needed = _rounded(self.needed)
        return f"{start}. To detect a true difference of this size takes about {needed}."


def compare(runs: Sequence[Run]) -> list[Comparison]:
    """Every pair of runs, each on the folds that both have."""
    pairs = list(combinations(runs, 2))
    outcomes = [paired(*pair) for pair in pairs]
    tests = [intervals.difference(*outcome) for outcome in outcomes]
    adjusted = holm([test.p for test in tests])
    made = []
    for (first, second), outcome, test, p in zip(pairs, outcomes, tests, adjusted, strict=True):
        one, other, groups = outcome
        low, high = test.interval
        if one.sum() < other.sum():
            first, second, one, other, low, high = second, first, other, one, -high, -low
        made.append(
            Comparison(
                first,
                second,
                len(groups),
                len(shared_folds(first, second)),
                *discordant(one, other),
                low,
                high,
                p,
                intervals.needed_pictures(one, other, groups),
            )
        )
    return made


def discordant(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Pictures that only the one, and that only the other gets right, from bool (n,) each."""
    return int(np.sum(one & ~other)), int(np.sum(other & ~one))


def shared_folds(one: Run, other: Run) -> set[int]:
    """The folds that both were tested on."""
    return {*one.cross_fitted.folds.tolist()} & {*other.cross_fitted.folds.tolist()}


def paired(one: Run, other: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each is right, bool (n,), and groups (n,), of the pictures both were tested on."""
    folds = list(shared_folds(one, other))
    here, there = (np.isin(run.cross_fitted.folds, folds) for run in (one, other))
    right = one.cross_fitted_correct[here], other.cross_fitted_correct[there]
    return *right, one.cross_fitted_groups[here]


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by S. Holm's step-down method, 1979."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted.tolist()


def in_words(p: float) -> str:
    """A p-value as it is written."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.01 else f"p = {p:.2f}"


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}".replace("-", "−")


def _rounded(pictures: int) -> str:
    """Two digits are more than the formula is good for."""
    step = 10 ** max(0, len(str(pictures)) - 2)
    return f"{ceil(pictures / step) * step:,} pictures"
