"""Where the pictures come from, under which licences, and what was done to them."""

from collections import Counter
from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import ACCENT, axes, tooltip
from stages.figures.report_data import Study
from stages.figures.text import fitting

ROW = 34  # pixels
MOST = 10  # rows of a panel; what is rarer is taken together


def figure(study: Study) -> Figure:
    kept = [row for row in study.found if row["status"] == "kept"]
    rejected = [row for row in study.found if row["status"] == "rejected"]
    excluded = [row for row in study.found if row["status"] == "excluded"]
    predictions = study.runs[0].predictions
    sizes = np.unique(predictions.groups, return_counts=True)[1]
    counts = {
        "Licence": Counter(study.provenance(row["file"], "licence") or "not known" for row in kept),
        "Source": Counter(study.provenance(row["file"], "title") or "not known" for row in kept),
        "Mode as found": Counter(row["mode"] for row in kept),
        "Rejected because": Counter(row["reason"].partition(":")[0] for row in rejected),
        "Excluded because": Counter(row["reason"] for row in excluded),
        "Group of near duplicates": Counter(
            f"{size} pictures" if size > 1 else "alone" for size in sizes
        ),
    }
    shown = {title: most(count) for title, count in counts.items() if count}
    height = 66 + ROW * max(map(len, shown.values()))
    converted = sum(number for mode, number in counts["Mode as found"].items() if mode != "RGB")
    return Figure(
        title="Sources, licences, conversions",
        caption="Pictures kept, by licence, by source and by the mode they came in: all but RGB "
        "were converted, transparent parts put on the background colour. Groups: pictures that "
        "look nearly alike.",
        description=f"{len(kept)} pictures kept, {len(rejected)} rejected, {converted} converted "
        f"to RGB, {len(sizes)} groups. Most frequent licence: {next(iter(shown['Licence']))}.",
        panels=[
            Panel(title, 330, height, partial(_draw, count, height))
            for title, count in shown.items()
        ],
        header=["of", "which", "pictures or groups"],
        rows=[
            [title, name, str(number)]
            for title, count in counts.items()
            for name, number in _sorted(count)
        ],
    )


def most(count: Counter) -> dict[str, int]:
    """The most frequent, and the rest as one."""
    ordered = _sorted(count)
    rest = sum(number for _, number in ordered[MOST:])
    return dict(ordered[:MOST]) | ({f"{len(ordered) - MOST} more": rest} if rest else {})


def _sorted(count: Counter) -> list[tuple[str, int]]:
    return sorted(count.items(), key=lambda item: (-item[1], item[0]))


def _draw(count: dict[str, int], height: int, canvas: FigureBase) -> None:
    below = 36 + height - 66 - ROW * len(count)
    area = axes(canvas, 16, 30, 16, below)
    for row, (name, number) in enumerate(count.items()):
        (bar,) = area.barh([row], [number], height=0.3, color=ACCENT)
        tooltip(bar, f"{name}: {number}")
        name_row(area, row - 0.08, f"{fitting(name, 240)}: {number}")
    no_rows_axis(area, len(count))
    area.set_xlim(left=0)
