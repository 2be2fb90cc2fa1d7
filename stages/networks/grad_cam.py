"""Grad-CAM: where in a picture a convolutional network found what speaks for its class.

R. Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391. The channels of the last map, weighted
by how much the class gains from each. With the global pooling and the one dense layer that our
networks end in, it is the class activation map of B. Zhou et al. 2016, and so exact.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf


def explainer(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function: float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, h, w) ≥ 0.

    `network` gives logits; h × w is its last map with more than one place.
    """
    last = next(layer for layer in reversed(network.layers) if len(layer.output.shape) == 4)
    both = keras.Model(network.input, [last.output, network.output])

    def explain(pictures: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            maps, logits = both(pictures)
            named = tf.reduce_max(logits, axis=1)
        gains = tf.reduce_mean(tape.gradient(named, maps), axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(gains * maps, axis=-1))

    return explain
