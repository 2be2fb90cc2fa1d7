"""Depthwise convolutions whose kernel's gradient is computed in parts: the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages import zoo
from stages.networks import depthwise
from stages.networks.batch_norm_folding import folded
from stages.training.determinism import make_reproducible

make_reproducible(0)


def both_gradients(convolve, x: tf.Tensor, kernel: tf.Tensor) -> list[np.ndarray]:
    """Of a loss that weighs each place of the maps by its own number."""
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        maps = convolve(x, kernel)
        weights = np.random.default_rng(2).normal(size=maps.shape)
        loss = tf.reduce_sum(maps * weights.astype(np.float32))
    return [maps.numpy(), *(part.numpy() for part in tape.gradient(loss, [x, kernel]))]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(4, 4), (5, 5), (5, 7), (7, 5), (8, 8)])
@pytest.mark.parametrize("size", [(9, 8), (14, 15)])
def test_maps_and_gradients_are_those_of_the_plain_convolution(size, kernel, stride, padding):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, *size, 6)).astype(np.float32))
    weights = tf.constant(rng.normal(size=(*kernel, 6, 1)).astype(np.float32))
    strides = (stride, stride)
    found = both_gradients(lambda *a: depthwise.convolution(*a, strides, padding), x, weights)
    expected = both_gradients(lambda *a: keras.ops.depthwise_conv(*a, strides, padding), x, weights)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


def test_it_is_for_wide_kernels_without_dilation_and_for_processors(monkeypatch):
    assert depthwise.pays(tf.zeros((5, 5, 2, 1)), (1, 1))
    assert not depthwise.pays(tf.zeros((3, 3, 2, 1)), (1, 1))
    assert not depthwise.pays(tf.zeros((5, 3, 2, 1)), (1, 1))
    assert not depthwise.pays(tf.zeros((5, 5, 2, 1)), (2, 2))
    # No machine of the tests has a GPU.
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    assert not depthwise.pays(tf.zeros((5, 5, 2, 1)), (1, 1))


def test_a_network_with_wide_kernels_learns_by_it(monkeypatch):
    """And what it learns is what it learns without."""
    keras.utils.set_random_seed(0)
    network = zoo.lookup("efficientnet_lite0").backbone(64)
    upper = keras.Model(zoo.lookup("efficientnet_lite0").cut(network, 5), network.output)
    x = np.random.default_rng(0).normal(size=(2, *upper.input_shape[1:])).astype(np.float32)
    calls = []
    own = depthwise.kernel_gradient

    def counted(*arguments):
        calls.append(arguments)
        return own(*arguments)

    monkeypatch.setattr(depthwise, "kernel_gradient", counted)
    found = []
    for in_parts in (True, False):
        with monkeypatch.context() as patch:
            if not in_parts:
                patch.setattr(depthwise, "pays", lambda *_: False)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(folded(upper)(x, training=True) ** 2)
            found.append(tape.gradient(loss, upper.trainable_variables))
    assert len(calls) == 4  # its blocks with kernels of 5 × 5
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max() + 1e-9
