"""Pictures whose class is probably wrong."""

from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import exhibit, exhibit_height, thumbnail
from stages.figures.drawing import MUTED
from stages.figures.report_data import Study
from stages.statistics.label_errors import LabelIssue

SHOWN = 12
SIDE = 128  # pixels that a picture has


def figure(study: Study) -> Figure:
    found = study.label_issues
    more = f" The first {SHOWN} of {len(found)}." if len(found) > SHOWN else ""
    return Figure(
        title="Probable label errors",
        caption="Confident learning (Northcutt et al. 2021, cleanlab) on the validation and test "
        "pictures, whose mean probabilities over all runs come from networks that were not trained "
        "on them. Self-confidence: the mean probability of the given class. Look before you leave "
        "one out: what is hard to tell is found too. "
        f"reports/label_errors.csv has the lines for data/exclude.csv.{more}",
        description=f"Of the validation and test pictures, {len(found)} look mislabelled. "
        + " ".join(f"{s.file}: rather {s.suggested}." for s in found[:SHOWN]),
        panels=[
            Panel(f"{s.given}?", 330, exhibit_height(5), partial(_draw, study, s))
            for s in found[:SHOWN]
        ],
        header=["file", "class", "suggested", "self-confidence"],
        rows=[[s.file, s.given, s.suggested, f"{s.self_confidence:.2f}"] for s in found],
    )


def _draw(study: Study, issue: LabelIssue, canvas: FigureBase) -> None:
    lines = [
        (f"rather {issue.suggested}", {"weight": "bold"}),
        (f"self-confidence: {100 * issue.self_confidence:.0f} %", {}),
        ("", {}),
        (issue.file.partition("/")[2], {"color": MUTED, "fontsize": 9}),
        (study.provenance(issue.file, "licence"), {"color": MUTED, "fontsize": 9}),
    ]
    exhibit(canvas, thumbnail(issue.file, SIDE), lines)
