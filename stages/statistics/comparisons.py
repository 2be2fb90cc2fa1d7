"""Whether one run is significantly better than another: both saw the same test pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, sqrt

import numpy as np
from scipy.stats import binomtest, norm

from stages.statistics.bootstrap import interval
from stages.statistics.runs import Run

SIGNIFICANT = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    """Two runs, the first at least as accurate as the second on the test pictures."""

    first: Run
    second: Run
    pictures: int
    only_first: int  # pictures that only this one gets right
    only_second: int
    low: float  # 95 % interval of the difference in accuracy
    high: float
    p: float  # exact McNemar, Holm-corrected for all comparisons made

    @property
    def difference(self) -> float:
        return (self.only_first - self.only_second) / self.pictures

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT

    @property
    def needed(self) -> int | None:
        return needed_pictures(self.only_first, self.only_second, self.pictures)

    @property
    def sentence(self) -> str:
        points = f"{100 * self.difference:.1f} percentage points"
        points += f", 95 % CI {_range(self.low, self.high)}"
        if self.significant:
            better = f"{self.first.name} is significantly better than {self.second.name}"
            return f"{better}: {points}, {in_words(self.p)}."
        start = (
            f"{self.first.name} and {self.second.name} do not differ significantly on "
            f"{self.pictures} pictures: {points}, {in_words(self.p)}"
        )
        if self.needed is None:
            return f"{start}."
        needed = _rounded(self.needed)
        return f"{start}. To detect a true difference of this size takes about {needed}."


def compare(runs: Sequence[Run], accuracies: Sequence[np.ndarray]) -> list[Comparison]:
    """Every pair of runs. `accuracies` are those on the same bootstrap draws, run by run."""
    pairs = list(combinations(range(len(runs)), 2))
    counts = [discordant(runs[a], runs[b]) for a, b in pairs]
    adjusted = holm([mcnemar(*count) for count in counts])
    pictures = len(runs[0].test)
    made = []
    for (a, b), (only_a, only_b), p in zip(pairs, counts, adjusted, strict=True):
        if only_b > only_a:
            a, b, only_a, only_b = b, a, only_b, only_a
        low, high = interval(accuracies[a] - accuracies[b])
        made.append(Comparison(runs[a], runs[b], pictures, only_a, only_b, low, high, p))
    return made


def discordant(one: Run, other: Run) -> tuple[int, int]:
    """Test pictures that only the one, and that only the other gets right."""
    return int(np.sum(one.correct & ~other.correct)), int(np.sum(other.correct & ~one.correct))


def mcnemar(only_one: int, only_other: int) -> float:
    """Exact two-sided p-value: is a picture that one run misses as likely missed by the other?

    Q. McNemar 1947; the exact form is a binomial test of the discordant pairs.
    """
    count = only_one + only_other
    return float(binomtest(only_one, count).pvalue) if count else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by S. Holm's step-down method, 1979."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted.tolist()


def needed_pictures(only_one: int, only_other: int, pictures: int) -> int | None:
    """Test pictures with which McNemar's test finds the present difference in 4 of 5 studies.

    At level 0.05, for one comparison alone; R. Connor, Biometrics 43, 1987. None without a
    difference.
    """
    if only_one == only_other:
        return None
    discordant = (only_one + only_other) / pictures
    difference = abs(only_one - only_other) / pictures
    level, power = norm.ppf(1 - SIGNIFICANT / 2), norm.ppf(POWER)
    spread = level * sqrt(discordant) + power * sqrt(discordant - difference**2)
    return ceil((spread / difference) ** 2)


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
    return f"{ceil(pictures / step) * step:,} test pictures"
