"""Risk-coverage curves: the error rate on the pictures that a run is most confident of."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.drawing import ACCENT, TRAIN, axes
from stages.figures.report_data import Study
from stages.statistics.calibration import risk_by_coverage
from stages.statistics.runs import PHASES, Run

COVERAGES = (0.5, 0.8, 0.9, 1.0)
STYLES = {"transfer": {"color": TRAIN, "linestyle": "--"}, "finetune": {"color": ACCENT}}


def figure(study: Study) -> Figure:
    pairs = list(zip(study.runs[::2], study.runs[1::2], strict=True))
    risks = {id(run): risk_by_coverage(run.test) for run in study.runs}
    highest = max(risk[len(risk) // 10 :].max() for risk in risks.values())
    return Figure(
        title="Risk-coverage curves",
        caption="If a run only answers where it is most confident and passes the rest to a person: "
        "the share of its answers that is wrong (risk), by the share of pictures it answers "
        "(coverage). Lower is better; the right end is the error on all test pictures.",
        description=" ".join(
            f"{run.name}: {100 * at(risks[id(run)], 0.8):.1f} % wrong among the most confident "
            f"80 %, {100 * risks[id(run)][-1]:.1f} % of all."
            for run in study.runs
        ),
        panels=[
            Panel(pair[0].network, 330, 260, partial(_draw, pair, risks, highest)) for pair in pairs
        ],
        header=["run", *(f"risk at coverage {100 * share:.0f} %" for share in COVERAGES)],
        rows=[
            [run.name, *(f"{100 * at(risks[id(run)], share):.1f} %" for share in COVERAGES)]
            for run in study.runs
        ],
    )


def at(risk: np.ndarray, share: float) -> float:
    """The risk where this share of the pictures is answered."""
    return float(risk[max(0, round(share * len(risk)) - 1)])


def _draw(pair: Sequence[Run], risks: dict, highest: float, canvas: FigureBase) -> None:
    area = axes(canvas, 44, 48, 12, 36)
    for run in pair:
        risk = risks[id(run)]
        shares = 100 * np.arange(1, len(risk) + 1) / len(risk)
        points = np.unique(np.linspace(0, len(risk) - 1, 200).astype(int))
        area.plot(shares[points], 100 * risk[points], label=PHASES[run.phase], **STYLES[run.phase])
    area.set(xlim=(0, 101), ylim=(-0.02 * highest * 100, max(1, 105 * highest)))
    area.set(xlabel="coverage: % of pictures answered", ylabel="risk: % of answers wrong")
    area.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderpad=0)
