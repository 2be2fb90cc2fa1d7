"""A trained network in LiteRT's format, which was TensorFlow Lite's, by TensorFlow's converter.

For one picture at a time: with a free number of them, what a transformer reshapes to is found while
it runs, and fast kernels are for shapes that are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from stages.errors import StudyError
from stages.exports.onnx_network import head_at
from stages.networks.batch_norm_folding import folded
from stages.runtime.tensorflow_messages import held_back

# As in ONNX: from a softmax in int8 come multiples of 1/256, which sum to no 1.
OF_THE_HEAD = ["FULLY_CONNECTED", "SOFTMAX"]


def in_precisions(
    network: keras.Model, temperature: float, pixels: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """uint8 RGB `pixels` (1, size, size, 3) → float32 `probabilities` (1, classes), three times.

    `network` is a backbone and a head, as `models.load_trained` gives it; int8 is calibrated on
    `pixels`, uint8 (n, size, size, 3). Raises StudyError where TensorFlow's converter fails.
    """
    layers = network._flatten_layers()
    attends = any(isinstance(layer, keras.layers.LayerNormalization) for layer in layers)
    with _saved(network, temperature) as folder:
        yield "float32", _converted(folder, lambda converter: converter.convert())
        yield "float16", _converted(folder, _float16_weights)
        int8 = _ranged_by_picture if attends else lambda converter: _calibrated(converter, pixels)
        yield "int8", _converted(folder, int8)


@contextmanager
def _saved(network: keras.Model, temperature: float) -> Iterator[str]:
    """The folder of a SavedModel: of what TensorFlow can convert, the one whose ends have names."""
    *_, last, head = network.operations
    backbone = keras.Model(network.input, last.output)
    quick = folded(backbone)
    kernel, bias = head_at(head, temperature)
    pixels = tf.TensorSpec((1, *backbone.input_shape[1:]), tf.uint8, name="pixels")

    @tf.function(input_signature=[pixels], autograph=False)
    def answer(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        # By `call`: else each tensor's name says how many networks this process has made.
        features = quick.call(tf.cast(pixels, tf.float32) / 127.5 - 1)
        return {"probabilities": tf.nn.softmax(tf.matmul(features, kernel) + bias)}

    model = tf.Module()
    model.variables_of_the_network = [variable.value for variable in backbone.variables]
    with TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder, signatures=answer)
        yield folder


def _converted(folder: str, convert: Callable[[tf.lite.TFLiteConverter], bytes]) -> bytes:
    with held_back():
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.exclude_conversion_metadata = True
        try:
            return convert(converter)
        except ConverterError as error:
            reason = str(error).splitlines()[0]
    raise StudyError(f"this network has no form in LiteRT (export.litert): {reason}")


def _float16_weights(converter: tf.lite.TFLiteConverter) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _calibrated(converter: tf.lite.TFLiteConverter, pixels: np.ndarray) -> bytes:
    """All in int8, with ranges from these pictures, but for the head."""

    def pictures() -> Iterator[list[np.ndarray]]:
        return ([picture[None]] for picture in pixels)

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    # The one public way to leave something in float32.
    return tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=pictures,
        debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=OF_THE_HEAD),
    ).get_nondebug_quantized_model()


def _ranged_by_picture(converter: tf.lite.TFLiteConverter) -> bytes:
    """Weights in int8; activations take the range of each picture while they are computed."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()
