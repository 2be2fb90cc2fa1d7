"""The study in a few sentences, made from its figures and no surer than they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stages.figures.report_data import Study
from stages.statistics.comparisons import Comparison, in_words
from stages.statistics.intervals import accuracy_interval
from stages.statistics.runs import Run
from stages.statistics.seed_variation import points

FEW = 3  # networks whose fine-tuning is told one by one


def conclusions(study: Study) -> list[str]:
    """Which network, what fine-tuning buys, which run is best, what it costs."""
    return [*_networks(study), _fine_tuning(study), _best(study), _cost(study)]


def _networks(study: Study) -> Iterator[str]:
    """The networks by their heads, which have seen the most pictures; nothing of one network."""
    best, *others = (run for run in study.preferred if run.phase == "transfer")
    if len(others) == 1:
        yield _pair(study.comparison(best, *others))
    elif others:
        yield (
            f"With a new head alone, {best.network} is best on the validation pictures. It is "
            f"right on {_accuracy(best)}, {_standing(study, best, others)}."
        )


def _pair(c: Comparison) -> str:
    first, second = (100 * run.cross_fitted_correct.mean() for run in (c.first, c.second))
    start = (
        f"With a new head alone, {c.first.network} is right on {first:.1f} % of "
        f"{_pictures(c.first)}, and {c.second.network} on {second:.1f} %"
    )
    uncertain = f"(95 % CI {points(c.low)} to {points(c.high)}, corrected {in_words(c.p)})"
    difference = f"{points(c.difference)} percentage points {uncertain}"
    if c.significant:
        return f"{start}: {c.first.network} is significantly better, by {difference}."
    return f"{start}: no significant difference, {difference}."


def _fine_tuning(study: Study) -> str:
    pairs = list(zip(study.runs[::2], study.runs[1::2], strict=True))
    made = [study.comparison(before, after) for before, after in pairs]
    gains = [c.difference if c.first is after else -c.difference
             for c, (_, after) in zip(made, pairs, strict=True)]  # fmt: skip
    on = f"On {made[0].on}, fine-tuning"
    if len(pairs) > FEW:
        better = sum(c.significant and gain > 0 for c, gain in zip(made, gains, strict=True))
        worse = sum(c.significant and gain < 0 for c, gain in zip(made, gains, strict=True))
        least, most = (points(gain, "+") for gain in (min(gains), max(gains)))
        return (
            f"{on} made {better} of {len(pairs)} networks significantly better and {worse} "
            f"worse; the change is {least} to {most} percentage points."
        )
    parts = []
    for (before, _), c, gain in zip(pairs, made, gains, strict=True):
        low, high = (c.low, c.high) if gain == c.difference else (-c.high, -c.low)
        middle, low, high = (points(value, "+") for value in (gain, low, high))
        parts.append(
            f"of {before.network} by {middle} percentage points (95 % CI {low} to {high}, "
            f"corrected {in_words(c.p)}{'' if c.significant else ', not significant'})"
        )
    return f"{on} changes the accuracy {_listed(parts)}."


def _best(study: Study) -> str:
    best, *others = study.preferred
    return (
        f"Of all runs, “{best.name}” is best on the validation pictures. It is right on "
        f"{_accuracy(best)}, {_standing(study, best, others)}."
    )


def _cost(study: Study) -> str:
    rivals = [study.best, *not_significantly_worse(study)]
    smallest = min(rivals, key=lambda run: run.card["bytes"]["weights"])
    size = _megabytes(smallest)
    if len(rivals) == 1:
        return f"Its weights are {size}."
    if smallest.model == study.best.model:
        return f"{study.best.name} is also the smallest of these runs: {size} of weights."
    return (
        f"The smallest run that is not significantly worse is {smallest.name}, with {size} of "
        f"weights against {_megabytes(study.best)}."
    )


def not_significantly_worse(study: Study) -> list[Run]:
    """The runs that the best one is not significantly better than."""
    others = [run for run in study.runs if run is not study.best]
    made = [(run, study.comparison(run, study.best)) for run in others]
    return [run for run, c in made if not (c.significant and c.first is study.best)]


def _standing(study: Study, run: Run, others: Sequence[Run]) -> str:
    """How often a run is right against others, in words."""
    made = [(other.name, study.comparison(run, other)) for other in others]
    better = [name for name, c in made if c.significant and c.first is not run]
    level = [name for name, c in made if not c.significant]
    parts = [f"significantly less often than {_listed(better)}"] if better else []
    parts += [f"not significantly more often than {_listed(level)}"] if level else []
    if not parts:
        return "significantly more often than every other run"
    return f"but {', and '.join(parts)}"


def _accuracy(run: Run) -> str:
    right = run.cross_fitted_correct
    low, high = accuracy_interval(right, run.cross_fitted_groups)
    return (
        f"{100 * right.mean():.1f} % of {_pictures(run)} (95 % CI {100 * low:.1f} to "
        f"{100 * high:.1f} %)"
    )


def _pictures(run: Run) -> str:
    """What a run was tested on."""
    count = len(run.cross_fitted)
    if not run.other_folds:
        return f"{count:,} test pictures"
    every = "all " if count == len(run.predictions) else ""
    return f"{every}{count:,} pictures (each predicted by a network that saw none like it)"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _megabytes(run: Run) -> str:
    return f"{run.card['bytes']['weights'] / 1e6:.1f} MB"
