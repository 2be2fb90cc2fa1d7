"""What a network in training says of pictures that are already on disk as its inputs."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

BATCH = 32


def answering(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Stored inputs (n, 1, …), which may be memory-mapped → float32 (n, classes).

    What is returned says what the network says at the time of the call.
    """
    signature = tf.TensorSpec((BATCH, *network.input_shape[1:]), tf.float32)
    answer = tf.function(lambda batch: network(batch, training=False), input_signature=[signature])

    def logits(inputs: np.ndarray) -> np.ndarray:
        said = []
        for start in range(0, len(inputs), BATCH):
            piece = inputs[start : start + BATCH, 0]
            # Another shape would be traced anew.
            padded = np.zeros((BATCH, *piece.shape[1:]), np.float32)
            padded[: len(piece)] = piece
            said.append(answer(tf.constant(padded)).numpy()[: len(piece)])
        return np.concatenate(said).astype(np.float32)

    return logits
