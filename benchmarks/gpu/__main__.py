"""What a GPU gives the study, and whether it says the same as the processor.

    python -m benchmarks.gpu                      # in the project's environment, on TensorFlow
    KERAS_BACKEND=jax python -m benchmarks.gpu    # where there is Keras and JAX, and no TensorFlow

With TensorFlow the stages run on a small made-up study (study.py): seconds of each with the
study's pair, some of them twice to compare bytes, and the default pair on GPU and CPU to compare
accuracy. With JAX, on which the stages do not run, the default pair alone is compared (outputs.py).

Then, with either, the speed of the study's pair (speed.py): features of a large batch, and training
steps of the last blocks and of the whole network, as a share of what one large product gets.

Weights are those of `models/`, where the study has them; those of packages come through pip (with
TensorFlow); others are seeded random numbers, with which times are the same and accuracy means
nothing. The tables go to gpu.md of the folder `--output`, and as JSON to gpu.json. To try it
without a GPU: `--networks tiny_cnn --compared tiny_vit --batch 8 --side 256 --per-class 8`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

from benchmarks.gpu import outputs, speed
from benchmarks.gpu.report import Report
from benchmarks.workplace import ROOT
from stages import zoo

PAIR = ("mobilenet_v2", "vit_b32")  # the study's
COMPARED = ("efficientnet_lite0", "dinov2_s14")
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--networks", nargs="+", choices=zoo.NETWORKS, default=PAIR)
    words.add_argument("--compared", nargs="+", choices=zoo.NETWORKS, default=COMPARED)
    words.add_argument("--batch", type=int, default=128, help="pictures of a large batch")
    words.add_argument("--side", type=int, default=8192, help="rows of the large product")
    words.add_argument("--per-class", type=int, default=40, help="pictures of the made-up study")
    words.add_argument("--output", type=Path, default=Path())
    words.add_argument("--figures", type=Path, help=argparse.SUPPRESS)
    wanted = words.parse_args()
    output = wanted.output.absolute()
    os.chdir(ROOT)
    engine = importlib.import_module(f"benchmarks.gpu.{BACKEND}_engine")
    if wanted.figures:
        outputs.write(engine, wanted.compared, wanted.figures)
        return
    started = time.perf_counter()
    report = Report(output, f"{engine.device() or 'no GPU'}; {engine.NAME}")
    if BACKEND == "jax":
        outputs.compare(engine, wanted.compared, report)
    else:
        from benchmarks.gpu import study  # here, not above: it imports TensorFlow

        study.compare(wanted.networks, wanted.compared, wanted.per_class, report)
    speed.measure(engine, wanted.networks, wanted.batch, wanted.side, report)
    report.add("seconds of the whole", [{"seconds": f"{time.perf_counter() - started:.0f}"}])


if __name__ == "__main__":
    main()
