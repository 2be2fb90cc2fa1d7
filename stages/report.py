"""Stage 9: leaderboard, plot data, figures and the page, made from predictions and curves alone.

What an earlier study left of networks and seeds that this one does not name is removed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages import figures
from stages.figures import Figure
from stages.figures.conclusions import conclusions
from stages.figures.plot_tables import write_plot_tables
from stages.figures.report_data import Study, read_study
from stages.figures.side_by_side import render_all
from stages.params import load
from stages.pictures import fonts
from stages.runtime.program import run as run_stage
from stages.statistics.label_errors import LabelIssue
from stages.statistics.runs import remove_leftovers
from stages.statistics.scores import SPLITS, summary
from stages.tables import write_json, write_table, write_text

SCORES = ("accuracy", "log_loss", "macro_precision", "macro_recall", "macro_f1")
METRICS = {"transfer": "head", "finetune": "tuned"}  # short: `dvc exp show` has a column for each
SHOWN = ("accuracy", "macro_f1", "log_loss")  # in the page; the other two are in the table
LEADERBOARD = ("model", "phase", "split", "images", *SCORES)
ALL = "all"  # pictures, each by the network of its fold
EXCLUSION = ("file", "sha256", "reason")
TEMPLATE = Path(__file__).with_name("figures") / "report.html.jinja"
REPORTS = Path("reports")


def main() -> str:
    params = load("seed", "models", "evaluate")
    repeats, folds = params.evaluate.repeats, params.evaluate.folds
    remove_leftovers(params.models, repeats, folds)
    study = read_study(params.models, params.seed, repeats, folds)
    write_table(REPORTS / "leaderboard.csv", LEADERBOARD, leaderboard(study))
    write_json(REPORTS / "test_accuracy.json", test_accuracy(study))
    lines = [exclusion(study, issue) for issue in study.label_issues]
    write_table(REPORTS / "label_errors.csv", EXCLUSION, lines)
    write_plot_tables(REPORTS / "plots", study.runs)
    drawn = {name: figures.figure(name, study) for name in figures.NAMES}
    made = {name: figure for name, figure in drawn.items() if figure}
    panels = render_all(made, REPORTS / "figures")
    write_text(REPORTS / "report.html", page(study, made, panels))
    fonts.tell_missing("reports/figures/png", "report")
    return f"{study.best.name}: best on validation pictures; see {REPORTS}/report.html"


def leaderboard(study: Study) -> Iterator[dict]:
    """A row per run and split, and one of all folds where a run was tested on more than the first.

    The rows of a split are of one network; those of `ALL` of one for each fold.
    """
    for run in study.runs:
        parts = {split: run.predictions.of(split) for split in SPLITS}
        for split, part in (parts | ({ALL: run.cross_fitted} if run.other_folds else {})).items():
            scores = {name: f"{value:.4f}" for name, value in summary(part).items()}
            row = {"model": run.model, "phase": run.phase, "split": split, "images": len(part)}
            yield row | {name: scores[name] for name in SCORES}


def test_accuracy(study: Study) -> dict[str, dict[str, float]]:
    """What `dvc metrics` and `dvc exp show` put side by side: `<network>.head` and `.tuned`.

    One figure a run, under keys that are found once, so that DVC names its columns by them alone.
    """
    found: dict[str, dict[str, float]] = {}
    for run, scores in zip(study.runs, study.scores, strict=True):
        found.setdefault(run.model, {})[METRICS[run.phase]] = round(scores["accuracy"], 4)
    return found


def exclusion(study: Study, issue: LabelIssue) -> dict[str, str]:
    """A line for data/exclude.csv, which names pictures as data/raw does."""
    raw, sha256 = (study.provenance(issue.file, key) for key in ("file", "sha256"))
    return {
        "file": raw,
        "sha256": sha256,
        "reason": f"no {issue.given}, rather {issue.suggested}",
    }


def standings(study: Study) -> list[dict]:
    """The leaderboard of the page, the best on validation pictures first.

    Of each score (figure, low, high), on the test pictures and over all folds, which is None for a
    run that was tested on one.
    """
    places = {id(run): place for place, run in enumerate(study.runs)}
    return [
        {
            "run": run,
            "weights": run.card["bytes"]["weights"] / 1e6,
            "validation": study.validation[place]["accuracy"],
            "everywhere": study.cross_fitted[place],
            "test": {
                name: (study.scores[place][name], *study.interval(place, name)) for name in SHOWN
            },
        }
        for run in study.preferred
        for place in [places[id(run)]]
    ]


def page(study: Study, made: dict[str, Figure], panels: dict[str, list[str]]) -> str:
    """The report: one page that needs nothing beside itself; `panels` are SVG."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE.name).render(
        study=study,
        conclusions=conclusions(study),
        standings=standings(study),
        everywhere=max(len(run.cross_fitted) for run in study.runs),
        sections=figures.SECTIONS,
        figures=made,
        panels=panels,
    )


if __name__ == "__main__":
    run_stage(main)
