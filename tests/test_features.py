import keras
import numpy as np
import pytest

from stages import features
from stages.training.determinism import make_reproducible

make_reproducible(0)


def network(filters: int, kernel: int) -> tuple[keras.Model, keras.KerasTensor]:
    """Of 16 × 16 pixels: a convolution, where the tuned part begins, and the means of its maps."""
    image = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(filters, kernel, padding="same")(image)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps)), maps


@pytest.mark.parametrize(
    ("filters", "kernel", "kept"),
    [
        (1, 1, True),  # fewer bytes than pixels
        (64, 1, False),  # 32,000 bytes more to read, 49,000 multiplications to make again
        (64, 15, True),  # as many bytes, 11 million multiplications
    ],
)
def test_activations_are_kept_where_reading_them_takes_less_than_making_them(filters, kernel, kept):
    assert features.worth_keeping(*network(filters, kernel)) == kept


def test_the_pixels_themselves_are_kept_where_all_is_tuned():
    backbone, _ = network(1, 1)
    assert not features.worth_keeping(backbone, backbone.input)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("count", [1, features.BATCH])
def test_activations_and_features_are_those_of_the_network(count, xla):
    backbone, cut = network(4, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    activations, found = features.both_outputs(backbone, cut, xla)(pixels)
    expected = keras.Model(backbone.input, [cut, backbone.output]).predict_on_batch(
        pixels / np.float32(127.5) - 1
    )
    assert activations.dtype == np.float16
    assert np.allclose(activations, expected[0], atol=2e-3)
    assert np.allclose(found, expected[1], atol=1e-5)


def test_where_all_is_tuned_the_activations_are_the_pixels():
    backbone, _ = network(4, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    activations, _ = features.both_outputs(backbone, backbone.input, xla=False)(pixels)
    assert activations.dtype == np.uint8
    assert np.array_equal(activations, pixels)
