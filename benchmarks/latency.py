"""Time per picture and operations of each network of params.yaml: reports/latency.csv.

    python -m benchmarks.latency     # on a machine that does nothing else; minutes

No stage: a time is another one at every run, and `dvc repro --force` must give the same bytes. It
is a measurement, taken once, kept by Git with the machine it was taken on, and read by the report
like any other input. Weights do not matter for it, so no data or training is needed. GFLOPs count a
multiplication with its addition as one, as papers and `python -m stages.zoo` do.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stages import zoo
from stages.networks import models
from stages.networks.flops import multiply_adds
from stages.params import load, own_value
from stages.runtime.processors import cores
from stages.tables import write_table

COLUMNS = ("network", "machine", "gflops", "median_1_ms", "p95_1_ms", "median_32_ms", "p95_32_ms")
RUNS = {1: (20, 200), 32: (3, 30)}  # pictures at a time: to warm up, to measure
CLASSES = 10


def main() -> None:
    params = load("models", "image_size")
    write_table("reports/latency.csv", COLUMNS, [row(name, params) for name in params.models])


def row(name: str, params: object) -> dict[str, str]:
    size = own_value(params.image_size, name, zoo.lookup(name).ENTRY.image_size)
    backbone = zoo.lookup(name).backbone(size)
    logits = models.head(backbone.output_shape[1], CLASSES)(backbone.output)
    network = tf.keras.Model(backbone.input, logits)
    found = {
        "network": name,
        "machine": machine(),
        "gflops": f"{multiply_adds(network) / 1e9:.3f}",
    }
    call = tf.function(network)
    for batch in RUNS:
        pictures = tf.random.uniform((batch, size, size, 3), -1, 1)
        found |= figures(batch, lambda pictures=pictures: call(pictures).numpy())
    print(found, flush=True)
    return found


def figures(batch: int, call: Callable[[], object]) -> dict[str, str]:
    """Median and 95th percentile of the milliseconds per picture, where a call takes a batch."""
    warm_up, runs = RUNS[batch]
    times = []
    for _ in range(warm_up + runs):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started) / batch)
    return {
        f"median_{batch}_ms": f"{np.median(times[warm_up:]):.2f}",
        f"p95_{batch}_ms": f"{np.quantile(times[warm_up:], 0.95):.2f}",
    }


def machine() -> str:
    device = "GPU" if tf.config.list_physical_devices("GPU") else f"{cores()} CPU cores"
    return f"{platform.system()} {platform.machine()} with {device}"


if __name__ == "__main__":
    main()
