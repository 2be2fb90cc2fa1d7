"""Depthwise convolutions with a faster gradient of their kernel, on processors.

oneDNN, with which TensorFlow works there, takes three to eight times as long for the gradient of a
kernel of 5 × 5 as for that of one of 5 × 3 (docs/decisions.md). A kernel's gradient is a sum of
products for each of its places, so it is computed for some columns of the kernel at a time.
"""

from __future__ import annotations

import tensorflow as tf

COLUMNS = 3  # of a kernel whose gradient is computed at once

Padding = tuple[int, int]  # before and after


def pays(kernel: tf.Tensor, dilation: tuple[int, int]) -> bool:
    """Whether this convolution's gradient is better computed in parts; GPUs have their own ways."""
    wide = kernel.shape[0] > COLUMNS and kernel.shape[1] > COLUMNS
    on_processor = not tf.config.get_visible_devices("GPU")
    return wide and on_processor and tuple(dilation) == (1, 1)


def convolution(
    x: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """float32 (n, height, width, channels), (kernel height, kernel width, channels, 1) → maps.

    `padding` is "same" or "valid", as in Keras, whose depthwise convolution this is.
    """
    steps, ends = [1, *strides, 1], padding.upper()

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor):
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_x = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=kernel,
                out_backprop=upstream,
                strides=steps,
                padding=ends,
            )
            return of_x, kernel_gradient(x, kernel.shape, upstream, strides, padding)

        return tf.nn.depthwise_conv2d(x, kernel, steps, ends), gradients

    return convolve(x, kernel)


def kernel_gradient(
    x: tf.Tensor,
    shape: tf.TensorShape,
    upstream: tf.Tensor,
    strides: tuple[int, int],
    padding: str,
) -> tf.Tensor:
    """The gradient of the kernel, of this shape, from that of the maps."""
    height, width, channels, _ = shape
    if padding == "valid":
        rows = columns = (0, 0)
    else:
        sizes = zip(x.shape[1:3], (height, width), strides, strict=True)
        rows, columns = (same_padding(*size) for size in sizes)
    found, done = [], 0
    while done < width:
        start = min(done, width - COLUMNS)  # the last part may begin in the one before
        left, right = columns[0] - start, columns[1] - (width - COLUMNS - start)
        part = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=without(x, max(0, -left), max(0, -right)),
            filter_sizes=[height, COLUMNS, channels, 1],
            out_backprop=upstream,
            strides=[1, *strides, 1],
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *rows, max(0, left), max(0, right), 0, 0],
        )
        found.append(part[:, done - start :])
        done = start + COLUMNS
    return tf.concat(found, axis=1)


def same_padding(size: int, kernel: int, stride: int) -> Padding:
    """What TensorFlow adds at both ends of a side for "same"."""
    steps = -(-size // stride)
    total = max(0, (steps - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def without(x: tf.Tensor, left: int, right: int) -> tf.Tensor:
    """Maps that lack some columns, which this part of the kernel does not reach."""
    return x[:, :, left : x.shape[2] - right] if left or right else x
