"""The study's networks together against the best of them alone, over folds and on test pictures.

    python -m benchmarks.ensembles

What an ensemble says of a picture is the mean of what its members say, of probabilities or of their
logarithms; each member saw neither the picture nor its kind. Needs a finished study.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tabulate import tabulate

from stages.params import load
from stages.statistics import intervals
from stages.statistics.runs import PHASES, Run, read_runs

HEADER = ("phase", "pictures", "mean", "together", "best alone", "points", "95 % interval")


def main() -> None:
    params = load("models", "evaluate")
    runs = read_runs(params.models, tuned_folds=params.evaluate.folds)
    rows = [row for phase in PHASES for row in compared([r for r in runs if r.phase == phase])]
    print(tabulate(rows, HEADER, tablefmt="pipe"))


def compared(runs: Sequence[Run]) -> Iterator[tuple]:
    """A row for each way to take the mean, of networks after the same phase."""
    best = max(runs, key=lambda run: run.cross_fitted_correct.mean())
    shares = np.stack([run.cross_fitted.probability for run in runs])
    for name, mean in (("arithmetic", shares), ("geometric", np.log(shares))):
        together = mean.mean(axis=0).argmax(axis=1) == best.cross_fitted.actual
        alone, groups = best.cross_fitted_correct, best.cross_fitted_groups
        low, high = intervals.difference(together, alone, groups).interval
        yield (
            *(PHASES[best.phase], len(together), name, f"{together.mean():.3f}"),
            f"{alone.mean():.3f} ({best.network})",
            f"{100 * (together.mean() - alone.mean()):.1f}",
            f"{100 * low:.1f} to {100 * high:.1f}",
        )


if __name__ == "__main__":
    main()
