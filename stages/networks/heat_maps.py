"""Where a network looks: by the method that fits it, as a map of levels."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf

from stages.networks import attention_relevance, grad_cam


def explainer(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The method's function as a graph, which keeps no activation that the map does not need."""
    pictures = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    return tf.function(method(network).explainer(network), input_signature=[pictures])


def method(network: keras.Model) -> ModuleType:
    """By what a network ends in: a hybrid whose upper part is a transformer is read as one."""
    names = {layer.name for layer in network.layers}
    return attention_relevance if "Transformer_encoder_norm" in names else grad_cam


def levels(relevance: np.ndarray) -> np.ndarray:
    """(n, h, w) as uint8: each picture's least place 0, its most 255, a flat map all 0."""
    least = relevance.min(axis=(1, 2), keepdims=True)
    span = relevance.max(axis=(1, 2), keepdims=True) - least
    span = np.maximum(span, np.finfo(np.float32).tiny)
    return np.round(255 * (relevance - least) / span).astype(np.uint8)
