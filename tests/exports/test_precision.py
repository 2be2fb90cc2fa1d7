"""Smaller weights: how small the files get, what their answers lose, the same bytes each time."""

import keras
import numpy as np
import onnx
import pytest
from onnxruntime import quantization

from stages.errors import StudyError
from stages.exports import precision
from stages.exports.onnx_network import onnx_network
from stages.exports.onnx_session import session
from stages.networks import models
from stages.zoo import tiny_cnn, tiny_vit
from tests.exports.made_network import PIXELS, network_of


@pytest.fixture(scope="module", params=[tiny_cnn, tiny_vit], ids=lambda module: module.__name__)
def float32(request) -> onnx.ModelProto:
    return onnx_network(network_of(request.param), 1.0, "made")


def said(model: onnx.ModelProto) -> np.ndarray:
    return session(model.SerializeToString()).run(None, {"pixels": PIXELS})[0]


def bytes_of_weights(model: onnx.ModelProto) -> int:
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer)


def test_float16_halves_the_weights_and_hardly_moves_the_answers(float32):
    before = float32.SerializeToString()
    half = precision.float16_weights(float32)
    onnx.checker.check_model(half, full_check=True)
    assert bytes_of_weights(half) < 0.6 * bytes_of_weights(float32)
    assert 0 < np.abs(said(half) - said(float32)).max() < 0.01
    assert float32.SerializeToString() == before


def test_int8_moves_the_answers_little_and_is_the_same_bytes_each_time(float32):
    before = float32.SerializeToString()
    whole, again = (precision.int8_weights(float32, PIXELS) for _ in range(2))
    assert whole.SerializeToString() == again.SerializeToString()
    assert any(tensor.data_type == onnx.TensorProto.INT8 for tensor in whole.graph.initializer)
    found, expected = said(whole), said(float32)
    assert 0 < np.abs(found - expected).mean() < 0.1  # answers at random: above 0.3
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert float32.SerializeToString() == before


def test_convolutions_are_calibrated_and_attention_takes_the_range_of_each_batch():
    graphs = (onnx_network(network_of(module), 1.0, "made") for module in (tiny_cnn, tiny_vit))
    cnn, vit = (
        {node.op_type for node in precision.int8_weights(graph, PIXELS).graph.node}
        for graph in graphs
    )
    assert "QuantizeLinear" in cnn
    assert "MatMulInteger" not in cnn
    assert "MatMulInteger" in vit


def test_products_in_whole_numbers_answer_as_those_that_onnxruntime_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "SIGNIFICANT", 1)  # products alone
    graph = onnx_network(network_of(tiny_vit), 1.0, "made")
    onnx.save(graph, tmp_path / "float32.onnx")
    kinds = {"op_types_to_quantize": ["Gemm", "MatMul"], "per_channel": True}
    quantization.quantize_dynamic(tmp_path / "float32.onnx", tmp_path / "int8.onnx", **kinds)
    whole = precision.int8_weights(graph, PIXELS)
    onnx.checker.check_model(whole, full_check=True)
    assert np.array_equal(said(whole), said(onnx.load(tmp_path / "int8.onnx")))


def test_a_kernel_in_whole_numbers_is_off_by_half_a_step_at_most():
    kernel = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    kernel[:, 1] = 0
    whole, step = precision.whole_numbers(kernel)
    assert (whole.dtype, step.dtype, step.shape) == (np.int8, np.float32, (4,))
    assert np.abs(whole * step - kernel).max() <= 0.5001 * step.max()
    assert np.abs(whole).max(axis=0).tolist() == [127, 0, 127, 127]


def test_a_layer_without_a_form_in_onnx_is_named():
    image = keras.Input((32, 32, 3))
    shaken = keras.layers.GaussianNoise(0.1, name="shaken")(image)
    features = keras.layers.GlobalAveragePooling2D()(shaken)
    network = keras.Model(image, models.head(3, 2)(features))
    with pytest.raises(StudyError, match="shaken is a GaussianNoise, for which there is no form"):
        onnx_network(network, 1.0, "")
