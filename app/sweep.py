"""`python -m app.sweep`: experiments that differ in their seed alone, as mean and spread.

A row for each network and combination of settings that this commit and its experiments have tried:
test accuracy of the head alone and of the tuned network, as in reports/test_accuracy.json.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from stages.errors import StudyError
from stages.params import FILE
from stages.runtime.program import run_command

METRICS = "reports/test_accuracy.json"
PHASES = ("head", "tuned")
# On the results of one network with one seed.
WITHOUT_EFFECT = {"models", "evaluate.folds", "evaluate.repeats"}

Value = int | float | str | bool | tuple | None


@dataclass(frozen=True)
class Result:
    """The test accuracy of a network in one experiment, by phase, and what it came of."""

    experiment: str
    network: str
    seed: int
    settings: Mapping[str, Value]  # by dotted name; without the seed
    accuracy: Mapping[str, float]


@dataclass(frozen=True)
class Group:
    """The results of a network with the same settings: one for each seed, in their order."""

    results: Sequence[Result]

    @property
    def network(self) -> str:
        return self.results[0].network

    def setting(self, name: str) -> Value:
        return self.results[0].settings.get(name)

    def mean(self, phase: str) -> float:
        return statistics.mean(result.accuracy[phase] for result in self.results)

    def deviation(self, phase: str) -> float | None:
        """Of the sample, with n - 1. None of one seed, which shows no spread."""
        values = [result.accuracy[phase] for result in self.results]
        return statistics.stdev(values) if len(values) > 1 else None


def main(form: str) -> None:
    tried = experiments()
    done = [experiment for experiment in tried if is_done(experiment)]
    found = groups(result for experiment in done for result in results(experiment))
    if not found:
        raise StudyError(
            "neither this commit nor an experiment of it has results: `dvc repro` and a commit "
            "make the one, `dvc exp run -S seed=1` the other"
        )
    print(FORMS[form](found))
    if left := len(tried) - len(done):
        print(f"experiments not done, or failed: {left}, see `dvc queue status`", file=sys.stderr)


def experiments() -> list[dict]:
    """This commit and its experiments, as DVC's JSON has them. Raises StudyError.

    The workspace is left out: it is one of these, or no experiment yet.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StudyError(f"`dvc exp show` fails ({reason}): run this in a clone of the project")
    _, commit = json.loads(done.stdout)
    runs = ({"executor": run["executor"], **run["revs"][0]} for run in commit["experiments"] or [])
    return [{"executor": None, **commit}, *runs]


def is_done(experiment: Mapping) -> bool:
    """Others have results too: those of the commit that they start from."""
    executor = experiment["executor"] or {}
    return executor.get("state", "success") == "success" and bool(experiment["data"])


def results(experiment: Mapping) -> Iterator[Result]:
    """One for each network that it has a result of."""
    data = experiment["data"]
    settings = flat(data["params"][str(FILE)]["data"])
    accuracy = data["metrics"].get(METRICS, {}).get("data", {})
    seed = settings.pop("seed")
    others = {name: value for name, value in settings.items() if name not in WITHOUT_EFFECT}
    for network, phases in accuracy.items():
        yield Result(experiment["name"] or experiment["rev"][:7], network, seed, others, phases)


def flat(section: Mapping, prefix: str = "") -> dict[str, Value]:
    """Values by dotted names, as `dvc exp run -S` takes them."""
    values = {}
    for key, value in section.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = tuple(value) if isinstance(value, list) else value
    return values


def groups(found: Iterable[Result]) -> list[Group]:
    """Sorted by the settings that differ, then by network. Raises StudyError as `distinct`."""
    alike: dict[tuple, list[Result]] = defaultdict(list)
    for result in found:
        alike[(result.network, *sorted(result.settings.items()))].append(result)
    every = [Group(distinct(same)) for same in alike.values()]
    names = differing(every)
    return sorted(
        every, key=lambda group: [*(order(group.setting(n)) for n in names), group.network]
    )


def distinct(found: Sequence[Result]) -> list[Result]:
    """One for each seed, in their order. Raises StudyError where a seed has two answers."""
    first: dict[int, Result] = {}
    for result in found:
        same = first.setdefault(result.seed, result)
        if same.accuracy != result.accuracy:
            raise StudyError(
                f"{same.experiment} and {result.experiment} have the same seed and settings, and "
                f"{result.network} is not the same: code, pictures or machine were others. "
                "`dvc exp remove` takes out the one that is not to count"
            )
    return [first[seed] for seed in sorted(first)]


def differing(every: Sequence[Group]) -> list[str]:
    """The settings that are not the same in all groups, in the order of params.yaml."""
    names = dict.fromkeys(name for group in every for name in group.results[0].settings)
    return [name for name in names if len({group.setting(name) for group in every}) > 1]


def order(value: Value) -> tuple[bool, float, str]:
    """Numbers by size, before words."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else 0, shown(value)


def shown(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "-" if value is None else str(value)


def as_text(every: Sequence[Group]) -> str:
    """For a terminal: a setting's name goes over several lines, or three would not fit."""
    head, rows = cells(every)
    return tabulate(rows, [name.replace(".", ".\n") for name in head], "plain", **AS_IT_IS)


def as_markdown(every: Sequence[Group]) -> str:
    head, rows = cells(every)
    return tabulate(rows, head, "github", **AS_IT_IS)


AS_IT_IS = {"disable_numparse": True}


def cells(every: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows, an accuracy as mean ± standard deviation."""
    names = differing(every)
    rows = [
        [
            *(shown(group.setting(name)) for name in names),
            group.network,
            str(len(group.results)),
            *(plus_minus(group.mean(phase), group.deviation(phase)) for phase in PHASES),
        ]
        for group in every
    ]
    return [*names, "network", "seeds", *PHASES], rows


def plus_minus(mean: float, deviation: float | None) -> str:
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def as_csv(every: Sequence[Group]) -> str:
    """All digits, in columns of numbers, with the names of the experiments."""
    names = differing(every)
    numbers = [f"{phase}{part}" for phase in PHASES for part in ("", "_deviation")]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*names, "network", "seeds", *numbers, "experiments"])
    for group in every:
        values = [(group.mean(phase), group.deviation(phase)) for phase in PHASES]
        table.writerow(
            [
                *(shown(group.setting(name)) for name in names),
                group.network,
                len(group.results),
                *("" if value is None else f"{value:.6f}" for pair in values for value in pair),
                " ".join(result.experiment for result in group.results),
            ]
        )
    return text.getvalue().rstrip("\n")


FORMS = {"text": as_text, "markdown": as_markdown, "csv": as_csv}


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.sweep", description=__doc__)
    forms = parser.add_mutually_exclusive_group()
    for option, form in (("--csv", "csv"), ("--md", "markdown")):  # as of `dvc exp show`
        forms.add_argument(option, dest="form", action="store_const", const=form, default="text")
    return parser


if __name__ == "__main__":
    run_command(main, words())
