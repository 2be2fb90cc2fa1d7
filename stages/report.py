"""Stage 9: leaderboard, plot data, figures and the page, made from predictions and curves alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages import figures
from stages.errors import run as run_stage
from stages.figures import Figure
from stages.figures.drawing import panel_svg, write_static
from stages.params import load
from stages.runs import CURVES, PHASES, WATCHED, Run, read_runs
from stages.scores import SPLITS, confusion, per_class, summary
from stages.tables import write_table, write_text

SCORES = ("accuracy", "log_loss", "macro_precision", "macro_recall", "macro_f1")
LEADERBOARD = ("model", "phase", "split", "images", *SCORES)
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def main() -> None:
    params = load("models")
    runs = read_runs(params.models)
    write_table("reports/leaderboard.csv", LEADERBOARD, leaderboard(runs))
    for metric in CURVES:
        write_rows(f"reports/plots/{metric}.csv", curve_rows(runs, metric))
    write_rows("reports/plots/confusion.csv", confusion_rows(runs))
    write_rows("reports/plots/classes.csv", class_rows(runs))
    made = {name: figures.figure(name, runs) for name in figures.NAMES}
    for name, figure in made.items():
        write_static(figure, Path("reports/figures", name))
    write_text("reports/report.html", page(runs, made))


def leaderboard(runs: Sequence[Run]) -> Iterator[dict]:
    """A row per run and split."""
    for run in runs:
        for split in SPLITS:
            part = run.predictions.of(split)
            scores = {name: f"{value:.4f}" for name, value in summary(part).items()}
            row = {"model": run.model, "phase": run.phase, "split": split, "images": len(part)}
            yield row | {name: scores[name] for name in SCORES}


def curve_rows(runs: Sequence[Run], metric: str) -> Iterator[dict]:
    """A row per run, kind of pictures and epoch: one learning curve of each for `dvc plots`."""
    for run in runs:
        for pictures in WATCHED:
            for epoch, value in enumerate(run.curves[pictures, metric], start=1):
                yield names(run) | {"pictures": pictures, "epoch": epoch, metric: value}


def confusion_rows(runs: Sequence[Run]) -> Iterator[dict]:
    """A row per run and pair of classes that occurs among its test pictures."""
    for run in runs:
        matrix = confusion(run.predictions.of("test"))
        pictures = matrix.sum(axis=1)
        classes = run.predictions.classes
        for actual, predicted in np.argwhere(matrix):
            count = matrix[actual, predicted]
            pair = {"actual": classes[actual], "predicted": classes[predicted], "count": count}
            yield names(run) | pair | {"share": f"{count / pictures[actual]:.4f}"}


def class_rows(runs: Sequence[Run]) -> Iterator[dict]:
    """A row per run and class: its scores on the test pictures."""
    for run in runs:
        for row in per_class(run.predictions.of("test")):
            scores = {name: f"{row[name]:.4f}" for name in ("precision", "recall", "f1")}
            yield names(run) | {"class": row["class"], "support": row["support"]} | scores


def names(run: Run) -> dict[str, str]:
    """The columns that say in `dvc plots` which run a row is of."""
    return {"network": run.network, "phase": PHASES[run.phase], "run": run.name}


def write_rows(path: str, rows: Iterator[dict]) -> None:
    """A table whose columns are those of its first row."""
    rows = list(rows)
    write_table(path, list(rows[0]), rows)


def page(runs: Sequence[Run], made: dict[str, Figure]) -> str:
    """The report: one page that needs nothing beside itself."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    panels = {
        name: [panel_svg(panel, f"{name}-{i}") for i, panel in enumerate(figure.panels)]
        for name, figure in made.items()
    }
    return environment.get_template(TEMPLATE.name).render(
        runs=runs,
        test=runs[0].predictions.of("test"),
        board=list(leaderboard(runs)),
        figures=made,
        panels=panels,
    )


if __name__ == "__main__":
    run_stage(main)
