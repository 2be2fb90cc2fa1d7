"""Attention relevance: which patches of a picture reached a transformer's decision.

H. Chefer et al.: Generic Attention-model Explainability, 2021, https://arxiv.org/abs/2103.15679.
Each layer's attention counts as far as the class gains from it (gradient × attention, what is
negative left out, mean over heads), and layers are followed through one another. Plain attention
rollout (S. Abnar, W. Zuidema 2020) shows the same places whatever class is asked for.

A network that reads the class token alone is asked what of that token came from which patch. One
that reads other tokens too (DINOv2: their mean) is asked for each token, weighted by what it adds
to the logit of the class (gradient × value, after the final normalisation).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import keras
import tensorflow as tf
from vit_keras.layers import TransformerBlock


def explainer(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function: float32 RGB (n, size, size, 3) in [-1, 1] → float32 (n, side, side) ≥ 0.

    `network` gives logits and is built of vit-keras's blocks; side × side are its patches.
    """
    blocks = [layer for layer in network.layers if isinstance(layer, TransformerBlock)]
    tokens = network.get_layer("Transformer_encoder_norm").output
    attentions = [block.output[1] for block in blocks]
    inner = keras.Model(network.input, [*attentions, tokens, network.output])

    def explain(pictures: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            *attentions, tokens, logits = inner(pictures)
            named = tf.reduce_max(logits, axis=1)
        *gains, gain = tape.gradient(named, [*attentions, tokens])
        relevance = _read(tf.reduce_sum(gain * tokens, axis=-1))[:, None]  # (n, 1, tokens)
        for attention, gained in zip(reversed(attentions), reversed(gains), strict=True):
            relevance += relevance @ tf.reduce_mean(tf.nn.relu(gained * attention), axis=1)
        patches = relevance[:, 0, 1:]  # the first token is the class token, no place
        side = isqrt(patches.shape[1])
        return tf.reshape(patches, (-1, side, side))

    return explain


def _read(added: tf.Tensor) -> tf.Tensor:
    """What tokens add, (n, tokens), where it is positive; where none is, as much as they take."""
    positive = tf.nn.relu(added)
    return tf.where(tf.reduce_any(added > 0, axis=1, keepdims=True), positive, tf.abs(added))
