"""Share of classes with perfect scores, before and after fine-tuning."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import TEST, axes, tooltip
from stages.figures.report_data import Study
from stages.statistics.runs import Run
from stages.statistics.scores import per_class

ROW = 40  # pixels


def figure(study: Study) -> Figure:
    found = [perfect_classes(run) for run in study.runs]
    count = len(study.test.classes)
    shares = [len(names) / count for names in found]
    height = 66 + ROW * len(study.runs)
    return Figure(
        title="Classes with perfect scores",
        caption="Share of classes whose precision and recall on the test pictures are both 1: none "
        "missed, none taken for another. With few pictures a class, one of them decides.",
        description=" ".join(
            f"{run.name}: {len(names)} of {count} classes."
            for run, names in zip(study.runs, found, strict=True)
        ),
        panels=[Panel("Share of classes", 330, height, partial(_draw, study.runs, shares))],
        header=["run", "perfect classes", "share", "which"],
        rows=[
            [run.name, str(len(names)), f"{100 * share:.0f} %", ", ".join(names)]
            for run, names, share in zip(study.runs, found, shares, strict=True)
        ],
    )


def perfect_classes(run: Run) -> list[str]:
    return [row["class"] for row in per_class(run.test) if row["precision"] == row["recall"] == 1]


def _draw(runs: Sequence[Run], shares: Sequence[float], canvas: FigureBase) -> None:
    area = axes(canvas, 16, 34, 16, 36)
    for row, (run, share) in enumerate(zip(runs, shares, strict=True)):
        (bar,) = area.barh([row], [100 * share], height=0.3, color=TEST)
        tooltip(bar, f"{run.name}: {100 * share:.0f} % of the classes")
        name_row(area, row - 0.08, f"{run.name}: {100 * share:.0f} %")
    no_rows_axis(area, len(runs))
    area.set(xlim=(0, 100), xlabel="% of classes")
