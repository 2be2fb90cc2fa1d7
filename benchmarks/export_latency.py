"""Time per picture of each exported file of the study: reports/export_latency.csv.

    python -m benchmarks.export_latency     # on a machine that does nothing else; minutes

As benchmarks/latency.py is for Keras, and no stage for the same reason. From decoded pixels to
probabilities, on all cores: by onnxruntime, or for LiteRT by TensorFlow's interpreter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.latency import RUNS, figures, machine
from stages.export import FORMATS
from stages.params import load
from stages.runtime.processors import cores
from stages.tables import read_json, read_table, write_table

COLUMNS = ("network", "file", "machine", "median_1_ms", "p95_1_ms", "median_32_ms", "p95_32_ms")


def main() -> None:
    found = [
        row(model, exported["file"])
        for model in load("models").models
        for exported in read_table(f"reports/exports/{model}.csv")
    ]
    write_table("reports/export_latency.csv", COLUMNS, found)


def row(model: str, file: str) -> dict[str, str]:
    place = Path("models", model, "export", file)
    size = read_json(place.with_name("card.json"))["image_size"]
    answer = FORMATS[place.suffix](place, cores())
    found = {"network": model, "file": file, "machine": machine()}
    for batch in RUNS:
        shape = batch, size, size, 3
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        found |= figures(batch, lambda pixels=pixels: answer(pixels))
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
