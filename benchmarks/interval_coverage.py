"""How often the report's intervals hold what they should, over made-up studies with real training.

    python -m benchmarks.interval_coverage              # 1,000 studies of each kind; some minutes
    python -m benchmarks.interval_coverage --studies 50 --fresh 5    # to try it

Each study draws pictures (points of ten classes, or of three, alone or in groups of near duplicates
of the sizes that the default study has), cuts their groups into seven folds, and trains four
classifiers on five of the folds at a time, as the study does. Each is then asked of many fresh
pictures, which tells its true accuracy: the interval should hold the mean of the seven, or where
only the test split is looked at, that of the one, in 95 of 100 studies. Claimed: 93 to 97.

`linear` and `relative` are ridge regressions on almost the same features, so that they seldom
differ; `other` is one on other features, `network` a layer of random neurons, which are drawn
anew in each fold: a training that depends on more than the pictures.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import norm, t

from stages.statistics import intervals

# How many groups of each size data/split.csv of the default study has.
SIZES = np.repeat([1, 2, 3, 4, 5, 6, 7, 8], [330, 142, 29, 13, 2, 2, 1, 4])
FOLDS = 7
DIMENSIONS = 16  # of a picture
NEURONS = 32
RIDGE = 5.0
ALIKE = 0.9  # of a picture's variance: what near duplicates share
DRAWS = 500  # of a bootstrap
PAIRS = (("linear", "other"), ("linear", "network"), ("linear", "relative"))
Z = float(norm.ppf((1 + intervals.LEVEL) / 2))

Interval = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """One kind of study; `apart` is how far its classes are from each other."""

    pictures: int
    classes: int
    apart: float
    grouped: bool
    one_fold: bool = False

    @property
    def name(self) -> str:
        pictures = f"{self.pictures}, fold 0 alone" if self.one_fold else f"{self.pictures}"
        return f"{pictures} | {self.classes} | {'yes' if self.grouped else 'no'}"


KINDS = (
    Kind(814, 10, 1.25, grouped=False),
    Kind(814, 10, 1.25, grouped=True),
    Kind(814, 10, 1.75, grouped=True),
    Kind(814, 10, 1.25, grouped=False, one_fold=True),
    Kind(814, 10, 1.25, grouped=True, one_fold=True),
    Kind(814, 10, 1.75, grouped=True, one_fold=True),
    Kind(70, 3, 0.9, grouped=False),
    Kind(70, 3, 0.9, grouped=True),
    Kind(70, 3, 1.25, grouped=True),
)


# ---- a study ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pictures:
    """Those that classifiers are tested on, and the bootstrap's draws, the same for all."""

    groups: np.ndarray  # int64 (n,), from 0
    folds: np.ndarray  # int64 (n,)
    drawn: dict[str, np.ndarray]  # float32 (DRAWS, n) of pictures, (DRAWS, groups) of groups

    @classmethod
    def of(cls, groups: np.ndarray, folds: np.ndarray, rng: np.random.Generator) -> Pictures:
        _, groups = np.unique(groups, return_inverse=True)
        counts = {"bootstrap": len(groups), "bootstrap by group": groups.max() + 1}
        return cls(groups, folds, {name: resamples(count, rng) for name, count in counts.items()})


def resamples(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float32)


@dataclass(frozen=True)
class Tested:
    """One classifier in one study: what it got right, and how accurate it truly is."""

    correct: np.ndarray
    accuracy: float


def study(
    kind: Kind, means: np.ndarray, fresh: int, rng: np.random.Generator
) -> tuple[Pictures, dict[str, Tested]]:
    """The pictures tested, and each classifier on them."""
    groups = draw_groups(kind, rng)
    points, labels = draw(groups, means, rng)
    folds = cut(groups, rng)
    new = draw(np.arange(fresh * kind.pictures), means, rng)
    used = [0] if kind.one_fold else range(FOLDS)
    tested = np.isin(folds, used)
    share = np.array([np.sum(folds == fold) for fold in used]) / tested.sum()
    made = {}
    for name in ("linear", "relative", "other", "network"):
        correct = np.zeros(kind.pictures, bool)
        true = []
        for fold in used:
            seen = (folds != fold) & (folds != (fold + 1) % FOLDS)  # the next one validates
            right = trained(name, points[seen], labels[seen], kind.classes, rng)
            correct[folds == fold] = right(points[folds == fold], labels[folds == fold])
            true.append(right(*new).mean())
        made[name] = Tested(correct[tested], float(share @ true))
    return Pictures.of(groups[tested], folds[tested], rng), made


def draw_groups(kind: Kind, rng: np.random.Generator) -> np.ndarray:
    if not kind.grouped:
        return np.arange(kind.pictures)
    sizes = rng.choice(SIZES, kind.pictures)
    return np.repeat(np.arange(kind.pictures), sizes)[: kind.pictures]


def draw(
    groups: np.ndarray, means: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures as float32 (n, DIMENSIONS) and their classes; a group is of one class."""
    of_group = rng.integers(len(means), size=groups[-1] + 1)
    shape = (groups[-1] + 1, DIMENSIONS)
    shared = rng.standard_normal(shape, np.float32)[groups]
    own = rng.standard_normal(shared.shape, np.float32)
    labels = of_group[groups]
    spread = np.float32(sqrt(ALIKE)) * shared + np.float32(sqrt(1 - ALIKE)) * own
    return means[labels] + spread, labels


def cut(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Folds of about one size, no group in two of them: largest groups first, to the smallest."""
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    filled, of_group = np.zeros(FOLDS), np.empty(len(sizes), int)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        of_group[group] = np.argmin(filled)
        filled[of_group[group]] += sizes[group]
    return of_group[groups]


def trained(
    name: str, points: np.ndarray, labels: np.ndarray, classes: int, rng: np.random.Generator
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function that says which of some pictures the classifier gets right: bool (n,)."""
    columns = {"linear": slice(12), "relative": slice(13)}.get(name, slice(4, None))
    inner = rng.standard_normal((DIMENSIONS - 3, NEURONS)).astype(np.float32)
    inner /= np.float32(sqrt(DIMENSIONS - 4))

    def features(points: np.ndarray) -> np.ndarray:
        own = with_one(points[:, columns])
        return with_one(np.maximum(own @ inner, 0)) if name == "network" else own

    a = features(points)
    target = np.eye(classes, dtype=np.float32)[labels]
    weights = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1], dtype=np.float32), a.T @ target)

    def right(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
        scores = weights.T @ features(points).T  # classes first: the highest is found faster
        return scores[labels, np.arange(len(labels))] >= scores.max(axis=0)

    return right


def with_one(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)


# ---- intervals ---------------------------------------------------------------------------------


def of_accuracy(correct: np.ndarray, pictures: Pictures) -> dict[str, Interval]:
    values = correct.astype(float)
    return {
        "ours": intervals.accuracy_interval(correct, pictures.groups),
        "pictures as independent": wilson(values.mean(), len(values)),
        **rejected(values, pictures),
    }


def of_difference(one: np.ndarray, other: np.ndarray, pictures: Pictures) -> dict[str, Interval]:
    values = one.astype(float) - other
    counts = np.sum(values > 0), np.sum(values < 0)
    return {
        "ours": intervals.difference(one, other, pictures.groups).interval,
        "pictures as independent": tango(*counts, len(values)),
        **rejected(values, pictures),
    }


def rejected(values: np.ndarray, pictures: Pictures) -> dict[str, Interval]:
    """Methods that serve both: without groups as well as with, and by fold."""
    groups, folds = pictures.groups, pictures.folds
    plain = intervals.mean(values, groups)
    units = {"bootstrap": np.arange(len(groups)), "bootstrap by group": groups}
    found = {
        "Bayle": around(values.mean(), values.std() / sqrt(len(values)), Z),
        "Bayle by group": around(plain.centre, plain.error, Z),
        **{name: bootstrap(values, unit, pictures.drawn[name]) for name, unit in units.items()},
    }
    if folds.any():
        means = np.array([values[folds == fold].mean() for fold in range(FOLDS)])
        error = means.std(ddof=1) * sqrt(1 / FOLDS + 1 / (FOLDS - 2))
        found["Nadeau–Bengio"] = around(means.mean(), error, float(t.ppf(0.975, FOLDS - 1)))
    return found


def around(middle: float, error: float, times: float) -> Interval:
    return middle - times * error, middle + times * error


def wilson(share: float, pictures: float) -> Interval:
    """E. Wilson, Journal of the American Statistical Association 22, 1927."""
    middle = (share + Z**2 / (2 * pictures)) / (1 + Z**2 / pictures)
    spread = sqrt(share * (1 - share) / pictures + Z**2 / (4 * pictures**2))
    return around(middle, spread / (1 + Z**2 / pictures), Z)


def tango(only_one: int, only_other: int, pictures: int) -> Interval:
    """What McNemar's test would not reject: T. Tango, Statistics in Medicine 17, 1998."""
    differences = np.linspace(-1, 1, 4001)[1:-1]
    a, c = 2 * pictures, -only_other * differences * (1 - differences)
    b = -only_one - only_other + (2 * pictures - only_one + only_other) * differences
    rarer = (np.sqrt(np.maximum(b**2 - 4 * a * c, 0)) - b) / (2 * a)
    variance = pictures * (2 * rarer + differences * (1 - differences))
    off = only_one - only_other - pictures * differences
    kept = differences[off**2 <= Z**2 * np.maximum(variance, 1e-12)]
    step = differences[1] - differences[0]
    if not len(kept):
        return around((only_one - only_other) / pictures, step, 1)
    return kept[0] - step, kept[-1] + step


def bootstrap(values: np.ndarray, groups: np.ndarray, drawn: np.ndarray) -> Interval:
    """Percentiles, as the report has them for other metrics."""
    sums = np.stack([np.bincount(groups, values), np.bincount(groups)], axis=1)
    right, pictures = (drawn @ sums.astype(np.float32)).T
    low, high = np.quantile(right / pictures, [0.025, 0.975])
    return float(low), float(high)


# ---- the table ---------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of each kind")
    parser.add_argument("--fresh", type=int, default=40, help="fresh pictures for each of a study")
    wanted = parser.parse_args()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(measured, kind, wanted.studies, wanted.fresh) for kind in KINDS]
        for number, (kind, job) in enumerate(zip(KINDS, jobs, strict=True)):
            print_rows(kind, job.result(), header=not number)


def measured(kind: Kind, studies: int, fresh: int) -> dict[str, dict]:
    """By quantity: its mean true value, and for each method (coverage, half-width), all shares."""
    rng = np.random.default_rng(0)
    means = (kind.apart * rng.standard_normal((kind.classes, DIMENSIONS))).astype(np.float32)
    truths: dict[str, list[float]] = {}
    held: dict[str, dict[str, list[tuple[bool, float]]]] = {}
    for number in range(studies):
        rng = np.random.default_rng([1, number])
        for quantity, truth, found in asked(*study(kind, means, fresh, rng)):
            truths.setdefault(quantity, []).append(truth)
            for method, (low, high) in found.items():
                outcome = (low <= truth <= high, (high - low) / 2)
                held.setdefault(quantity, {}).setdefault(method, []).append(outcome)
    return {
        quantity: {"truth": np.mean(truths[quantity])}
        | {method: np.mean(outcomes, axis=0) for method, outcomes in methods.items()}
        for quantity, methods in held.items()
    }


def asked(
    pictures: Pictures, made: dict[str, Tested]
) -> Iterator[tuple[str, float, dict[str, Interval]]]:
    """Quantity, its true value, the interval of each method."""
    for name in ("linear", "network"):
        run = made[name]
        yield name, run.accuracy, of_accuracy(run.correct, pictures)
    for first, second in PAIRS:
        one, other = made[first], made[second]
        found = of_difference(one.correct, other.correct, pictures)
        yield f"{first} − {second}", one.accuracy - other.accuracy, found


def print_rows(kind: Kind, rows: dict[str, dict], header: bool) -> None:
    methods = ("ours", "pictures as independent", "Bayle", "Bayle by group", "bootstrap",
               "bootstrap by group", "Nadeau–Bengio")  # fmt: skip
    if header:
        print(f"| pictures | classes | groups | of | truly | {' | '.join(methods)} | ours, ± |")
        print(f"|---|---:|---|---|{'---:|' * (len(methods) + 2)}")
    for quantity, row in rows.items():
        cells = [f"{100 * row[name][0]:.1f}" if name in row else "–" for name in methods]
        figures = [f"{100 * row['truth']:.1f}", *cells, f"{100 * row['ours'][1]:.1f}"]
        print(f"| {kind.name} | {quantity} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
