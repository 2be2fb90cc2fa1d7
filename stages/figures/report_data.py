"""The data of the report: read once, and what several figures need computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stages.statistics import bootstrap
from stages.statistics.choice import preference
from stages.statistics.comparisons import Comparison, compare
from stages.statistics.label_errors import LabelIssue, label_issues
from stages.statistics.runs import Run, read_runs
from stages.statistics.scores import Predictions, summary
from stages.statistics.seed_variation import Repeats, read_repeats
from stages.tables import read_table

RAW, RGB = "data/raw/manifest.csv", "data/rgb/manifest.csv"
LATENCY, TRAINING_TIME = "reports/latency.csv", "reports/training_time.csv"
EXPORT_LATENCY = "reports/export_latency.csv"

Measured = tuple[float, float, float]  # a metric, and the ends of its 95 % interval


@dataclass(frozen=True)
class Study:
    """The runs, in the order of params.yaml, and their pictures."""

    seed: int
    runs: Sequence[Run]
    found: Sequence[dict[str, str]]  # rows of data/rgb/manifest.csv: all pictures, the rejected too
    raw: dict[str, dict[str, str]]  # rows of data/raw/manifest.csv by picture kept
    latency: dict[str, dict[str, str]]  # rows of reports/latency.csv by network
    training_time: dict[tuple[str, str], dict[str, str]]  # rows of that table by network, phase
    exports: dict[str, list[dict[str, str]]]  # by network: rows of stage `export`, one for a file
    export_latency: dict[str, dict[str, dict[str, str]]]  # rows of that table by network and file
    maps: dict[str, np.ndarray]  # by network: stage `explain`, of the test pictures in order
    repeats: Repeats | None = None

    @property
    def test(self) -> Predictions:
        """The test pictures, as the first run saw them: files, groups and classes of all."""
        return self.runs[0].test

    @cached_property
    def replicates(self) -> list[dict[str, np.ndarray]]:
        """For each run, its metrics on the bootstrap draws of the test pictures."""
        drawn = bootstrap.draws(self.test, self.seed)
        return [bootstrap.replicates(run.test, drawn) for run in self.runs]

    @cached_property
    def scores(self) -> list[dict[str, float]]:
        """For each run, its metrics on the test pictures."""
        return [summary(run.test) for run in self.runs]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        return compare(self.runs)

    @cached_property
    def label_issues(self) -> list[LabelIssue]:
        return label_issues(self.runs)

    @cached_property
    def best(self) -> Run:
        """The best on validation pictures: test pictures would flatter what they have chosen."""
        return self.preferred[0]

    @cached_property
    def validation(self) -> list[dict[str, float]]:
        """For each run, its metrics on the validation pictures."""
        return [summary(run.predictions.of("validation")) for run in self.runs]

    @cached_property
    def preferred(self) -> list[Run]:
        """All runs, the best on validation pictures first."""
        order = sorted(range(len(self.runs)), key=lambda place: preference(self.validation[place]))
        return [self.runs[place] for place in order]

    @cached_property
    def cross_fitted(self) -> list[dict[str, Measured] | None]:
        """For each run, its metrics over all folds it was tested on; None where that is one."""
        drawn: dict[bytes, np.ndarray] = {}  # runs on the same folds share their draws
        return [_measured(run, drawn, self.seed) if run.other_folds else None for run in self.runs]

    def interval(self, run: int, figure: str) -> tuple[float, float]:
        """The 95 % interval of a metric of a run, given by its position, on the test pictures."""
        return bootstrap.metric_interval(figure, self.replicates[run][figure], self.runs[run].test)

    def provenance(self, file: str, key: str) -> str:
        """What data/raw/manifest.csv says of a picture; "" where it says nothing."""
        return self.raw.get(file, {}).get(key, "")

    def comparison(self, one: Run, other: Run) -> Comparison:
        return next(
            c for c in self.comparisons if {id(c.first), id(c.second)} == {id(one), id(other)}
        )


def read_study(
    models: Sequence[str], seed: int, repeats: Sequence[int] = (), tuned_folds: Sequence[int] = ()
) -> Study:
    """The study from its files under data/ and reports/. Raises StudyError where one is missing."""
    runs = read_runs(models, tuned_folds=tuned_folds)
    found = read_table(RGB)
    raw = {row["file"]: row for row in read_table(RAW)}
    return Study(
        seed=seed,
        runs=runs,
        found=found,
        raw={row["file"]: raw.get(row["raw"], {}) for row in found if row["file"]},
        latency={row["network"]: row for row in read_table(LATENCY)},
        training_time={(r["network"], r["phase"]): r for r in read_table(TRAINING_TIME)},
        exports={model: read_table(f"reports/exports/{model}.csv") for model in models},
        export_latency=by_file(read_table(EXPORT_LATENCY)),
        maps={model: np.load(Path("reports/maps", f"{model}.npy")) for model in models},
        repeats=read_repeats(runs, seed, repeats),
    )


def _measured(run: Run, drawn: dict[bytes, np.ndarray], seed: int) -> dict[str, Measured]:
    said = run.cross_fitted
    key = said.folds.tobytes()
    if key not in drawn:
        drawn[key] = bootstrap.draws(said, seed)
    scores, values = summary(said), bootstrap.replicates(said, drawn[key])
    return {
        name: (scores[name], *bootstrap.metric_interval(name, values[name], said))
        for name in values
    }


def by_file(rows: Sequence[dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row["network"], {})[row["file"]] = row
    return found
