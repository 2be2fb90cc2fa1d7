"""Time per picture of each exported file of the study: reports/export_latency.csv.

    python -m benchmarks.export_latency     # on a machine that does nothing else; minutes

As benchmarks/latency.py is for Keras, and no stage for the same reason. From decoded pixels to
probabilities, by onnxruntime on all cores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.prediction.model import INPUT
from benchmarks.latency import RUNS, figures, machine
from stages.exports.onnx_session import session
from stages.params import load
from stages.tables import read_table, write_table

COLUMNS = ("network", "file", "machine", "median_1_ms", "p95_1_ms", "median_32_ms", "p95_32_ms")


def main() -> None:
    found = [
        row(model, exported["file"])
        for model in load("models").models
        for exported in read_table(f"reports/exports/{model}.csv")
    ]
    write_table("reports/export_latency.csv", COLUMNS, found)


def row(model: str, file: str) -> dict[str, str]:
    ready = session(Path("models", model, "export", file))
    shape = ready.get_inputs()[0].shape[1:]
    found = {"network": model, "file": file, "machine": machine()}
    for batch in RUNS:
        pixels = np.random.default_rng(0).integers(0, 256, (batch, *shape), np.uint8)
        found |= figures(batch, lambda pixels=pixels: ready.run(None, {INPUT: pixels}))
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
