"""What is timed of a Keras network, on TensorFlow: as the stages features and finetune do it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import keras
import numpy as np
import tensorflow as tf

from benchmarks.workplace import study_params
from stages import params
from stages.networks.batch_norm_folding import folded
from stages.training import devices
from stages.training.batches import Batches
from stages.training.determinism import make_reproducible
from stages.training.trainer import Trainer
from stages.training.tuning import of_network

NAME = f"Keras {keras.version()}, TensorFlow {tf.version.VERSION}"


@cache
def chosen() -> devices.Device:
    """What the stages take, with XLA where there is no GPU: once, before TensorFlow has worked."""
    tf.get_logger().setLevel("ERROR")  # else it warns of as many functions as there are networks
    make_reproducible(seed=0)
    return devices.choose("auto", family="vit")


def device() -> str | None:
    """What the GPUs are called; None where TensorFlow sees none."""
    name = chosen().name
    return name if tf.config.get_visible_devices("GPU") else None


def on_device(array: np.ndarray) -> tf.Tensor:
    return tf.identity(array)


def wait(_: tf.Tensor) -> None:
    """TensorFlow returns before the GPU has finished."""
    tf.test.experimental.sync_devices()


@tf.function(jit_compile=True)
def product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.linalg.matmul(a, b)


def forward(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Inputs of the network → its output, compiled."""
    return tf.function(partial(folded(network), training=False), jit_compile=chosen().xla)


class Training:
    """Steps of a network's training, as `finetune` of params.yaml says, in batches of `size`."""

    def __init__(self, name: str, network: keras.Model, size: int) -> None:
        study = params.check(study_params())
        settings = of_network(study.finetune, name).model_copy(update={"batch_size": size})
        targets = np.eye(network.output_shape[-1], dtype=np.float32)
        rows = np.arange(len(targets))
        batches = Batches(np.zeros((len(rows), 1)), targets, rows, settings, seed=0)
        self.trainer = Trainer(folded(network), batches, chosen())

    def step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Train on a batch. → its loss, and how many answers were right."""
        return self.trainer.train(inputs[None], targets[None])
