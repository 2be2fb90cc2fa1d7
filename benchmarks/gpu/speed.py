"""Features and training steps per second, and their share of what the GPU can do.

The batch lies in the GPU's memory, so that reading pictures is not counted. Training is that of
the last blocks, on activations as `finetune` takes them, or of the whole network. A share of the
peak is the network's own arithmetic over that of one large product of matrices of the same
precision: two operations for each multiply-add that the zoo counts for a picture, three times as
much for a training step. Everything is deterministic, as in the study.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple

import keras

from benchmarks.gpu.networks import (
    PRECISIONS,
    backbone,
    batch_of,
    classifier,
    of_precision,
    random,
)
from benchmarks.gpu.report import Report, Row
from stages import zoo

SMALL = 16  # the study's batch
ROUNDS, SECONDS = 3, 0.3
COMPILERS = 8  # at once: more would not fit into the memory of a GPU


class Job(NamedTuple):
    """Work to be timed. `passes`: how many forward passes of the network it is worth, if known."""

    network: str
    precision: str
    work: str
    batch: int
    passes: int
    run: Callable[[], object]


def measure(engine: Any, names: Sequence[str], batch: int, side: int, report: Report) -> None:
    """`batch` is that of a large one, `side` the number of rows of the large product."""
    peaks = {precision: peak(engine, precision, side) for precision in PRECISIONS}
    rows = [{"precision": name, "TFLOP/s": f"{rate:.1f}"} for name, rate in peaks.items()]
    report.add("peak", rows)
    report.add("speed", [row(engine, job, peaks) for job in jobs(engine, names, batch)])


def peak(engine: Any, precision: str, side: int) -> float:
    """10¹² operations per second of one product of two square matrices."""
    dtype = "float32" if precision == "float32" else "bfloat16"
    a = keras.ops.cast(engine.on_device(random(side, side)), dtype)
    return 2 * side**3 / seconds(engine, lambda: engine.product(a, a)) / 1e12


def jobs(engine: Any, names: Sequence[str], large: int) -> list[Job]:
    """All that is to be timed, compiled side by side, which takes most of the time."""
    kinds = list(itertools.product(names, PRECISIONS))
    with ThreadPoolExecutor(COMPILERS) as pool:
        made = pool.map(lambda kind: jobs_of(engine, *kind, large), kinds)
        found = list(itertools.chain.from_iterable(made))
        list(pool.map(lambda job: engine.wait(job.run()), found))
    return found


def jobs_of(engine: Any, name: str, precision: str, large: int) -> list[Job]:
    entry = zoo.lookup(name).ENTRY
    with of_precision(precision):
        network = backbone(name)
    forward = engine.forward(network)
    inputs = engine.on_device(random(large, *network.input_shape[1:]))
    found = [Job(name, precision, "features", large, 1, lambda: forward(inputs))]
    for blocks, size in ((entry.tune_blocks, SMALL), (entry.blocks, SMALL), (entry.blocks, large)):
        passes = 3 if blocks == entry.blocks else 0
        work = f"training, {blocks} of {entry.blocks} blocks"
        run = steps(engine, name, classifier(name, network, blocks), size)
        found.append(Job(name, precision, work, size, passes, run))
    return found


def steps(engine: Any, name: str, network: keras.Model, size: int) -> Callable[[], object]:
    training = engine.Training(name, network, size)
    inputs, targets = map(engine.on_device, batch_of(network, size))
    return lambda: training.step(inputs, targets)


def row(engine: Any, job: Job, peaks: Mapping[str, float]) -> Row:
    each = seconds(engine, job.run)
    rate = job.passes * 2e9 * zoo.lookup(job.network).ENTRY.gflops * job.batch / each / 1e12
    return {
        "network": job.network,
        "precision": job.precision,
        "work": job.work,
        "batch": str(job.batch),
        "ms": f"{1000 * each:.2f}",
        "pictures/s": f"{job.batch / each:,.0f}",
        "TFLOP/s": f"{rate:.1f}" if rate else "",
        "of the peak": f"{rate / peaks[job.precision]:.1%}" if rate else "",
    }


def seconds(engine: Any, run: Callable[[], object]) -> float:
    """Of one call, where many are made: the middle one of some rounds."""
    engine.wait(run())
    calls = max(1, round(SECONDS / elapsed(engine, run, 1)))
    return median(elapsed(engine, run, calls) / calls for _ in range(ROUNDS))


def elapsed(engine: Any, run: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        result = run()
    engine.wait(result)
    return time.perf_counter() - started
