"""The study in three sentences, made from its figures and no surer than they are."""

from __future__ import annotations

from collections.abc import Sequence

from stages.figures.report_data import Study
from stages.statistics.comparisons import in_words
from stages.statistics.runs import Run
from stages.statistics.seed_variation import points

FEW = 3  # networks whose fine-tuning is told one by one


def conclusions(study: Study) -> list[str]:
    """What is best, what fine-tuning bought, what it costs."""
    return [_best(study), _fine_tuning(study), _cost(study)]


def _best(study: Study) -> str:
    place = study.runs.index(study.best)
    low, high = study.interval(place, "accuracy")
    accuracy = study.scores[place]["accuracy"]
    start = (
        f"{study.best.name} is right most often: on {100 * accuracy:.1f} % of "
        f"{len(study.test)} test pictures (95 % CI {100 * low:.1f} to {100 * high:.1f} %)"
    )
    rivals = not_significantly_worse(study)
    if not rivals:
        return f"{start}, significantly more often than every other run."
    return (
        f"{start}, but not significantly more often than {_listed([run.name for run in rivals])}."
    )


def _fine_tuning(study: Study) -> str:
    pairs = list(zip(study.runs[::2], study.runs[1::2], strict=True))
    made = [study.comparison(before, after) for before, after in pairs]
    gains = [c.difference if c.first is after else -c.difference
             for c, (_, after) in zip(made, pairs, strict=True)]  # fmt: skip
    if len(pairs) > FEW:
        better = sum(c.significant and gain > 0 for c, gain in zip(made, gains, strict=True))
        worse = sum(c.significant and gain < 0 for c, gain in zip(made, gains, strict=True))
        least, most = (points(gain, "+") for gain in (min(gains), max(gains)))
        return (
            f"Fine-tuning made {better} of {len(pairs)} networks significantly better and {worse} "
            f"worse; the change is {least} to {most} percentage points."
        )
    parts = []
    for (before, _), c, gain in zip(pairs, made, gains, strict=True):
        low, high = (c.low, c.high) if gain == c.difference else (-c.high, -c.low)
        middle, low, high = (points(value, "+") for value in (gain, low, high))
        parts.append(
            f"of {before.network} by {middle} percentage points (95 % CI {low} to {high}, "
            f"{in_words(c.p)}{'' if c.significant else ', not significant'})"
        )
    return f"Fine-tuning changes the accuracy {_listed(parts)}."


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
    """The runs whose difference from the best one is not significant."""
    others = [run for run in study.runs if run is not study.best]
    return [run for run in others if not study.comparison(run, study.best).significant]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _megabytes(run: Run) -> str:
    return f"{run.card['bytes']['weights'] / 1e6:.1f} MB"
