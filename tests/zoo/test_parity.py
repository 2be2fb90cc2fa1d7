"""Networks whose published files are out of reach, with made-up weights in the published layout.

What they must give is what timm gives with the same file (tests/zoo/parity wrote the references),
or Keras Applications itself.
"""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from stages import zoo
from stages.networks import weight_files
from tests.zoo.reference import made_up, make

# Name in Keras Applications, and the module with its `preprocess_input`.
APPLICATIONS = {
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "mobilenet_v3_large": ("MobileNetV3Large", "mobilenet_v3"),
    "efficientnet_v2_b0": ("EfficientNetV2B0", "efficientnet_v2"),
    "convnext_tiny": ("ConvNeXtTiny", "convnext"),
}


def test_every_network_without_a_package_is_compared():
    published = {n for n in zoo.NETWORKS if isinstance(zoo.lookup(n).ENTRY.weights, zoo.Published)}
    assert published == {*APPLICATIONS, *make.MADE_UP_SIZES}, published


# `make test` looks at one size of each, and `make parity` at both.
TIMM = [
    pytest.param(name, size, marks=[pytest.mark.slow] if number or name == "vit_b16" else [])
    for name, sizes in make.MADE_UP_SIZES.items()
    for number, size in enumerate(sizes)
]
SIZES = [96, pytest.param(224, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("name", "size"), TIMM)
def test_features_are_those_of_timm(name, size, tmp_path):
    network = zoo.lookup(name)
    file = tmp_path / network.ENTRY.weights.file
    made_up.write(file, made_up.tensors(name))
    model = network.backbone(size)
    weight_files.set_weights(model, network.convert(file, size), name)
    file.unlink()
    pictures = make.pictures(size)[: make.COUNT] / np.float32(127.5) - 1
    features = keras.ops.convert_to_numpy(model(pictures))
    expected = np.load(Path(make.FOLDER, f"{name}_{size}.npy"))
    # Reached: 2e-6 to 2e-5, of values up to 5.
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=0)


def application(name, size):
    """The network as Keras Applications offers it, with made-up weights, and its preprocessing."""
    kind, module = APPLICATIONS[name]
    model = getattr(keras.applications, kind)(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    for layer in model.layers:
        for weight in layer.weights:
            path = f"{layer.name}/{weight.name}"
            weight.assign(made_up.variable(path, tuple(weight.shape)))
        layer.momentum = 0.0  # of BatchNorm: it takes the statistics of the pictures as they are
    preprocess_input = getattr(keras.applications, module).preprocess_input
    model(preprocess_input(make.pictures(size).astype(np.float32)), training=True)
    return model, preprocess_input


def write_as_keras_applications(model, file):
    with h5py.File(file, "w") as group:
        legacy_h5_format.save_weights_to_hdf5_group(group, model)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", APPLICATIONS)
def test_features_are_those_of_keras_applications(name, size, tmp_path):
    original, preprocess_input = application(name, size)
    file = tmp_path / "w.h5"
    write_as_keras_applications(original, file)
    network = zoo.lookup(name)
    model = network.backbone(size)
    weight_files.set_weights(model, network.convert(file, size), name)
    pictures = make.pictures(size)[:2]
    expected = original(preprocess_input(pictures.astype(np.float32)), training=False)
    features = model(pictures / np.float32(127.5) - 1, training=True)
    # Reached: 0 to 3e-5, of values up to 5; the statistics amplify how pixels are rounded.
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=0)
