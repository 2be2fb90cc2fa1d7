"""The tuned networks as files for other runtimes: size, and what their precision costs."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import FigureBase

from stages.figures import Figure, Panel
from stages.figures.components import name_row, no_rows_axis
from stages.figures.drawing import ACCENT, axes, tooltip
from stages.figures.report_data import Study

ROW = 40  # pixels
MEASURED = {"median_1_ms": "ms per picture, one at a time", "median_32_ms": "32 at a time"}

Rows = Sequence[dict[str, str]]


def figure(study: Study) -> Figure:
    files = {run.network: study.exports[run.model] for run in study.runs if run.phase == "finetune"}
    latency = {run.network: study.export_latency.get(run.model, {}) for run in study.runs}
    machines = {row["machine"] for rows in latency.values() for row in rows.values()}
    return Figure(
        title="Exported files",
        caption=f"The fine-tuned networks {formats(files)}: a file takes decoded pixels, gives "
        "calibrated probabilities, and needs no TensorFlow. Points lost are of accuracy on "
        "validation pictures, against Keras; agreement is the share of test pictures that get the "
        "same class. "
        + "".join(f"Times were measured once, on {machine}. " for machine in sorted(machines)),
        description=" ".join(
            f"{network}, {row['file']}: {megabytes(row):.1f} MB, {row['points_lost']} points lost."
            for network, rows in files.items()
            for row in rows
        ),
        panels=[
            Panel(network, 330, 70 + ROW * len(rows), partial(_draw, rows))
            for network, rows in files.items()
        ],
        header=["network", "file", "MB", "points lost", "validation accuracy", "agreement",
                "largest difference", "test accuracy", *(MEASURED.values() if machines else ())],
        rows=[
            [network, row["file"], f"{megabytes(row):.1f}", row["points_lost"],
             row["validation_accuracy"], row["agreement"], row["largest_difference"],
             row["test_accuracy"], *times(latency[network].get(row["file"]), bool(machines))]
            for network, rows in files.items()
            for row in rows
        ],
    )  # fmt: skip


def formats(files: dict[str, Rows]) -> str:
    """What the files are, in words."""
    kinds = {row["file"].rpartition(".")[2] for rows in files.values() for row in rows}
    return "as ONNX and for LiteRT (tflite)" if "tflite" in kinds else "as ONNX"


def megabytes(row: dict[str, str]) -> float:
    return int(row["bytes"]) / 1e6


def times(measured: dict[str, str] | None, wanted: bool) -> list[str]:
    """A cell for each figure of MEASURED, empty for a file that was not measured."""
    return [measured[key] if measured else "" for key in MEASURED] if wanted else []


def _draw(rows: Rows, canvas: FigureBase) -> None:
    area = axes(canvas, 16, 24, 16, 36)
    for place, row in enumerate(rows):
        size = megabytes(row)
        said = f"{row['file']}: {size:.1f} MB, {row['points_lost']} points lost"
        (bar,) = area.barh([place], [size], height=0.3, color=ACCENT)
        tooltip(bar, said)
        name_row(area, place - 0.08, said)
    no_rows_axis(area, len(rows))
    area.set(xlabel="MB")
