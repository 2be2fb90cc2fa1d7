"""LiteRT files: what they answer and weigh, the card in them, the same bytes each time."""

import json
from zipfile import ZipFile

import keras
import numpy as np
import pytest

from stages.errors import StudyError
from stages.exports import litert_files, litert_network
from stages.networks import models
from stages.zoo import tiny_cnn, tiny_vit
from tests.exports.made_network import PIXELS, network_of

FARTHEST = {"float32": 1e-5, "float16": 0.005, "int8": 0.1}  # from Keras, on average
CARD = {"classes": ["Bird", "Cat", "Dog", "Plüschtier"]}


@pytest.fixture(scope="module", params=[tiny_cnn, tiny_vit], ids=lambda module: module.__name__)
def network(request) -> keras.Model:
    return network_of(request.param)


@pytest.fixture(scope="module")
def contents(network) -> dict[str, bytes]:
    return dict(litert_network.in_precisions(network, 1.0, PIXELS))


@pytest.mark.parametrize("precision", FARTHEST)
def test_a_file_says_what_keras_says_from_pixels_to_probabilities(
    network, contents, precision, tmp_path
):
    litert_files.write(contents[precision], CARD, tmp_path / "made.tflite")
    found = litert_files.answering(tmp_path / "made.tflite", 1)(PIXELS)
    expected = keras.ops.softmax(network(PIXELS / np.float32(127.5) - 1))
    assert np.abs(found - expected).mean() < FARTHEST[precision]  # answers at random: above 0.3
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_lower_precision_makes_a_smaller_file(contents):
    assert max(len(contents["float16"]), len(contents["int8"])) < 0.9 * len(contents["float32"])


def test_it_is_the_same_bytes_however_many_networks_were_made():
    first, second = (
        dict(litert_network.in_precisions(network_of(tiny_cnn), 1.0, PIXELS)) for _ in range(2)
    )
    assert first == second


def test_any_zip_tool_finds_the_card(contents, tmp_path):
    first, second = tmp_path / "first.tflite", tmp_path / "second.tflite"
    for file in (first, second):
        litert_files.write(contents["int8"], CARD, file)
    with ZipFile(first) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("card.json")) == CARD
    assert first.read_bytes() == second.read_bytes()


def test_nothing_of_what_tensorflow_says_is_shown(tmp_path, capfd):
    for precision, content in litert_network.in_precisions(network_of(tiny_cnn), 1.0, PIXELS):
        litert_files.write(content, CARD, tmp_path / precision)
        litert_files.answering(tmp_path / precision, 1)(PIXELS[:1])
    assert capfd.readouterr() == ("", "")


def test_what_tensorflow_cannot_convert_is_a_users_error():
    class Fft(keras.layers.Layer):
        def call(self, x):
            return keras.ops.fft2((x[..., 0], x[..., 0]))[0]

    image = keras.Input((8, 8, 3))
    network = keras.Model(image, models.head(64, 2)(keras.layers.Flatten()(Fft()(image))))
    with pytest.raises(StudyError, match=r"no form in LiteRT \(export\.litert\)"):
        next(litert_network.in_precisions(network, 1.0, PIXELS))
