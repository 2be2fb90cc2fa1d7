"""What a network in training says of pictures that are already on disk as its inputs."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

BATCH = 32


def logits(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Stored inputs (n, 1, …), which may be memory-mapped → float32 (n, classes)."""
    shape = (BATCH, *inputs.shape[2:])
    answer = tf.function(
        lambda batch: network(batch, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    said = []
    for start in range(0, len(inputs), BATCH):
        piece = inputs[start : start + BATCH, 0]
        padded = np.zeros(shape, np.float32)  # another shape would be traced anew
        padded[: len(piece)] = piece
        said.append(answer(tf.constant(padded)).numpy()[: len(piece)])
    return np.concatenate(said).astype(np.float32)
