"""Convolutions that take the normalisation after them into their kernels.

With fixed statistics a BatchNorm is a scale and a shift of every channel. As part of the kernel and
as a bias they cost next to nothing, and TensorFlow then runs convolution, bias and ReLU as one.
B. Jacob et al. 2018, section 3.2, https://arxiv.org/abs/1712.05877; kernel, gamma and beta stay
apart as variables, so training, saving and what is learnt are the same.
"""

from __future__ import annotations

from collections import Counter

import keras
import tensorflow as tf

from stages.networks import depthwise
from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm

Convolution = keras.layers.Conv2D | keras.layers.DepthwiseConv2D


class NormedConvolution(keras.layers.Layer):
    """A convolution and the normalisation after it in one; it has no variables but theirs."""

    def __init__(self, convolution: Convolution, norm: FixedBatchNorm) -> None:
        super().__init__(name=f"{norm.name}_folded", dtype=convolution.dtype_policy, autocast=False)
        self.convolution, self.norm = convolution, norm
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        convolution, norm = self.convolution, self.norm
        scale = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        shift = norm.beta - norm.moving_mean * scale
        deep = isinstance(convolution, keras.layers.DepthwiseConv2D)
        kernel = convolution.kernel * (scale[:, None] if deep else scale)
        x, kernel, shift = (keras.ops.cast(one, self.compute_dtype) for one in (x, kernel, shift))
        steps, dilation = (convolution.strides, convolution.padding), convolution.dilation_rate
        if deep and depthwise.pays(kernel, dilation):
            maps = depthwise.convolution(x, kernel, *steps)
        else:
            convolve = keras.ops.depthwise_conv if deep else keras.ops.conv
            maps = convolve(x, kernel, *steps, dilation_rate=dilation)
        return tf.nn.bias_add(maps, shift)


def folded(network: keras.Model) -> keras.Model:
    """The same functional network, on the same variables, with every FixedBatchNorm folded."""
    norms = _norms_to_fold(network)
    if not norms:
        return network
    convolutions = set(norms.values())

    def call(layer: keras.Operation, *inputs: object, **settings: object) -> object:
        if layer in convolutions:
            return inputs[0]
        if layer in norms:
            return NormedConvolution(norms[layer], layer)(*inputs)
        return layer(*inputs, **settings)

    return keras.models.clone_model(network, clone_function=lambda own: own, call_function=call)


def _norms_to_fold(network: keras.Model) -> dict[FixedBatchNorm, Convolution]:
    """Each one whose input is a plain convolution that nothing else reads, and that one."""
    read = Counter(id(tensor) for tensor in network.outputs)
    for layer in network.operations:
        read.update(id(tensor) for tensor in keras.tree.flatten(layer.input))
    found = {}
    for layer in network.layers:
        if isinstance(layer, FixedBatchNorm) and layer.scale and layer.center:
            before = layer.input._keras_history.operation
            if before in network.operations and read[id(layer.input)] == 1 and _plain(before):
                found[layer] = before
    return found


def _plain(layer: keras.Operation) -> bool:
    """Whether it is a convolution and does nothing else."""
    if not isinstance(layer, Convolution):
        return False
    return not layer.use_bias and layer.activation is keras.activations.linear
