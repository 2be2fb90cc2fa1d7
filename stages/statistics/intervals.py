"""How sure a share of right predictions is, and a difference between two: intervals and tests.

Predictions may be of one network on test pictures, or cross-fitted: of each fold by the network
that was trained without it. What an interval is for is then the mean accuracy of these networks on
new pictures. That predictions of several folds may be pooled as if one network had made them,
though the training sets overlap, is the central limit theorem of P. Bayle, A. Bayle, L. Janson,
L. Mackey: Cross-validation Confidence Intervals for Test Error, 2020
(https://arxiv.org/abs/2007.12671); it asks of a training that one picture more or less changes
little.

Near duplicates are no independent evidence, so groups are what is counted. The variance is the
cluster-robust one (K.-Y. Liang, S. Zeger, Biometrika 73, 1986), with t for the number of groups of
equal size that would say as much (A. Carter, K. Schnepel, D. Steigerwald, Review of Economics and
Statistics 99, 2017). Where nearly all is right, or two runs seldom differ, plain intervals are too
narrow: an accuracy has that of E. Wilson, 1927, for as many pictures as would be this sure if they
were independent (C. Franco, R. Little, T. Louis, E. Slud, Journal of Survey Statistics and
Methodology 7, 2019), a difference has half a picture more for each side, twice, as in A. Agresti,
Y. Min, Statistics in Medicine 24, 2005. docs/decisions.md says how often these intervals hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit  # of scipy.stats, whose import takes a second

LEVEL = 0.95
POWER = 0.8
ONE_EACH = (sqrt(0.5), -sqrt(0.5))  # adds 1 to the pictures on which runs differ, and 2 to all


@dataclass(frozen=True)
class Mean:
    """A mean over pictures that come in groups, with its standard error."""

    centre: float
    error: float
    freedom: float  # of t

    @property
    def quantile(self) -> float:
        """How many standard errors LEVEL takes, either way."""
        return float(stdtrit(self.freedom, (1 + LEVEL) / 2))

    @property
    def interval(self) -> tuple[float, float]:
        half = self.quantile * self.error
        return self.centre - half, self.centre + half

    @property
    def p(self) -> float:
        """Two-sided, of the mean being 0: below 1 - LEVEL where the interval leaves out 0."""
        if self.error == 0:
            return 1.0 if self.centre == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.centre) / self.error))


def mean(values: np.ndarray, groups: np.ndarray, added: Sequence[float] = ()) -> Mean:
    """The mean of `values` (n,), whose groups (n,) are independent; `added` are groups of one."""
    _, group = np.unique(groups, return_inverse=True)
    sums = np.append(np.bincount(group, values), added)
    sizes = np.append(np.bincount(group), np.ones(len(added)))
    count, pictures = len(sums), sizes.sum()
    centre = sums.sum() / pictures
    squares = np.sum((sums - centre * sizes) ** 2) * count / max(1, count - 1)
    equal_groups = np.sum(sizes**2) ** 2 / np.sum(sizes**4)
    return Mean(float(centre), sqrt(squares) / float(pictures), max(1.0, float(equal_groups) - 1))


def accuracy_interval(correct: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of an accuracy, from bool (n,) and groups (n,)."""
    seen = mean(correct.astype(float), groups)
    share, times = seen.centre, seen.quantile
    pictures = len(correct)
    if 0 < share < 1:
        independent = min(pictures, share * (1 - share) / seen.error**2)
    else:  # how alike near duplicates are, cannot be seen: as if entirely
        sizes = np.unique(groups, return_counts=True)[1]
        independent = pictures**2 / float(np.sum(sizes**2))
    widening = times**2 / independent
    middle = (share + widening / 2) / (1 + widening)
    half = times * sqrt(share * (1 - share) / independent + widening / independent / 4)
    half /= 1 + widening
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> Mean:
    """The accuracy of one run minus that of another on the same pictures: bool (n,) each."""
    return mean(one.astype(float) - other, groups, ONE_EACH)


def needed_pictures(one: np.ndarray, other: np.ndarray, groups: np.ndarray) -> int | None:
    """Pictures with which the test of `difference` finds the present one in 4 of 5 studies.

    For one comparison alone, where the true difference, its variance and the sizes of groups are
    those seen. None without a difference.
    """
    seen = mean(one.astype(float) - other, groups)
    if abs(seen.centre) < 0.5 / len(groups):
        return None
    reach = ndtri((1 + LEVEL) / 2) + ndtri(POWER)
    return ceil(len(groups) * (reach * seen.error / seen.centre) ** 2)
