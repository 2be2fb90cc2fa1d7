"""Where networks run: what `device` of params.yaml comes to on this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from stages.errors import ParameterError
from stages.params import Compute
from stages.runtime import processors
from stages.runtime.tensorflow_messages import LEVEL, has_nvidia_gpu
from stages.training.determinism import make_reproducible

HIDDEN = ("", "-1")  # values of CUDA_VISIBLE_DEVICES by which a user keeps GPUs from TensorFlow
UNUSABLE = (
    "TensorFlow cannot use this machine's NVIDIA GPU: `GPU=1 make repro` installs CUDA, where that "
    f"is missing; else `{LEVEL}=0 dvc repro` shows what TensorFlow says of it (docs/gpu.md)"
)


@dataclass(frozen=True)
class Device:
    """How a network is trained: on one device, or on several that share every batch.

    `precision` is a Keras dtype policy; variables are float32 in all of them. `xla` is whether
    TensorFlow compiles a step as a whole.
    """

    strategy: tf.distribute.Strategy
    precision: str
    xla: bool
    name: str


def choose(setting: Literal["auto", "cpu", "gpu"], family: str | None = None) -> Device:
    """The device for a value of `device`, called before TensorFlow has worked.

    Says so where it takes GPUs, and where there is one that it cannot take. `family` is that of the
    network whose blocks will run; none where only a head does. Raises ParameterError where a GPU
    is asked for and TensorFlow sees none.
    """
    gpus = [] if setting == "cpu" else tf.config.list_physical_devices("GPU")
    if setting == "gpu" and not gpus:
        why = UNUSABLE if is_unusable() else "TensorFlow sees no GPU"
        raise ParameterError(f"params.yaml: device is gpu; allowed here: auto or cpu, as {why}")
    if setting == "auto" and not gpus and is_unusable():
        print(f"warning: the CPU is used. {UNUSABLE}", file=sys.stderr, flush=True)
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)  # else it takes all of the memory
    if not gpus:
        return _of_cpu(family)
    device = _of_gpus(gpus)
    print(f"device: {device.name}", flush=True)
    return device


def start_elsewhere(family: str | None, threads: int) -> None:
    """For a process that computes for another one: TensorFlow as that has it, on the processor.

    `threads` is how many that has: make_reproducible.
    """
    make_reproducible(seed=0, threads=threads)
    choose("cpu", family)


def require_processor(compute: Compute) -> None:
    """Raises ParameterError where a cluster's processors were to go on with what a GPU rounds."""
    if compute.engine == "ray" and tf.config.get_visible_devices("GPU"):
        raise ParameterError(
            "params.yaml: device takes this machine's GPU, and compute.engine is ray, which "
            "computes pictures on processors; allowed: device cpu, or engine local"
        )


def is_unusable() -> bool:
    """Whether there is an NVIDIA GPU that nobody hides, asked where TensorFlow sees none."""
    return has_nvidia_gpu() and os.environ.get("CUDA_VISIBLE_DEVICES") not in HIDDEN


def _of_cpu(family: str | None) -> Device:
    """XLA joins what a transformer does between two matrix products; its convolutions are slow."""
    xla = family == "vit"
    name = f"CPU with {processors.cores()} cores, float32" + (", XLA" if xla else "")
    return Device(tf.distribute.get_strategy(), "float32", xla, name)


def _of_gpus(gpus: list) -> Device:
    """Mixed precision where the GPUs have bfloat16, which needs no scaling of the loss."""
    facts = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    modern = all(fact.get("compute_capability", (0, 0)) >= (8, 0) for fact in facts)
    precision = "mixed_bfloat16" if modern else "float32"
    one = len(gpus) == 1
    strategy = tf.distribute.get_strategy() if one else tf.distribute.MirroredStrategy()
    name = f"{len(gpus)} × {facts[0].get('device_name', 'GPU')}, {precision}"
    # Replicas meet in the middle of a step, which XLA cannot compile.
    return Device(strategy, precision, xla=one, name=name + (", XLA" if one else ", mirrored"))
