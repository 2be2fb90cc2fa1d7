"""Every network of the zoo: its facts, its parts, and the published network's own numbers."""

import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import onnxruntime
import pytest

from stages import weights, zoo
from stages.errors import ParameterError
from stages.exports import litert_files, litert_network
from stages.exports.onnx_network import onnx_network
from stages.networks import models, weight_files
from stages.networks.flops import multiply_adds
from stages.zoo import dinov2_s14
from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm
from tests.zoo.reference import made_up, make

REFERENCE = Path(__file__).parent / "reference"
PUBLISHED = [(name, size) for name, sizes in make.SIZES.items() for size in sizes]


SLOW = {"vit_b16": pytest.mark.slow}  # four times the work of vit_b32, by the same code


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=SLOW.get(name, ())) for name in zoo.NETWORKS]
)
def name(request):
    """Every network in turn: all tests of one run before those of the next, which saves memory."""
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return pretrained(name, own_size(name))


def pretrained(name, size):
    """A backbone with its published weights, or made-up ones where those are out of reach."""
    network = zoo.lookup(name)
    model = network.backbone(size)
    if made_up_weights(name):
        values = {w.path: made_up.variable(w.path, tuple(w.shape)) for w in model.weights}
    else:
        with weights.published_file(network.ENTRY.weights) as file:
            values = network.convert(file, size)
    weight_files.set_weights(model, values, name)
    return model


def own_size(name):
    return zoo.lookup(name).ENTRY.image_size


def made_up_weights(name):
    return isinstance(zoo.lookup(name).ENTRY.weights, zoo.Published)


def output(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def in_range(pictures):
    return pictures / np.float32(127.5) - 1


def test_a_network_is_what_its_entry_says(name, model):
    entry = zoo.lookup(name).ENTRY
    assert model.input_shape == (None, entry.image_size, entry.image_size, 3)
    assert model.output_shape == (None, entry.features)
    assert (model.input.dtype, model.output.dtype) == ("float32", "float32")
    assert model.count_params() == entry.parameters
    assert 1 <= entry.tune_blocks < entry.blocks
    assert entry.licence
    assert multiply_adds(model) / 1e9 == pytest.approx(entry.gflops, rel=0.02)


def test_pictures_become_features_that_differ(name, model):
    features = output(model, in_range(make.pictures(own_size(name))))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    # Made-up weights of many layers say little of the picture: test_parity.py compares it.
    assert features.std(axis=0).mean() > (1e-5 if made_up_weights(name) else 0.01)


def test_variables_have_the_same_names_however_many_models_were_built(name, model):
    size = own_size(name)
    paths = [weight.path for weight in zoo.lookup(name).backbone(size).weights]
    assert paths == [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)


def test_a_network_has_no_state_beside_its_weights(model):
    assert len(model.variables) == len(model.weights)


def test_no_layer_moves_its_statistics_or_drops_anything(model):
    layers = list(model._flatten_layers())
    assert not [layer for layer in layers if type(layer) is keras.layers.BatchNormalization]
    assert not [layer for layer in layers if getattr(layer, "rate", 0)]


@pytest.mark.parametrize(("name", "size"), PUBLISHED)
def test_features_are_those_of_the_published_network(name, size):
    expected = np.load(REFERENCE / f"{name}_{size}.npy")
    features = output(pretrained(name, size), in_range(make.pictures(size)))
    # Reached: 9e-6 and 1.4e-5, of values up to 6 and 8.
    np.testing.assert_allclose(features, expected, atol=1e-4, rtol=0)


def test_the_parts_below_and_above_a_cut_make_the_whole(name, model):
    network = zoo.lookup(name)
    pictures = in_range(make.pictures(network.ENTRY.image_size))[:1]
    whole = output(model, pictures)
    for blocks in {1, network.ENTRY.tune_blocks, network.ENTRY.blocks}:
        cut = network.cut(model, blocks)
        below, above = keras.Model(model.input, cut), keras.Model(cut, model.output)
        features = output(above, output(below, pictures))
        np.testing.assert_allclose(features, whole, atol=1e-5)
        assert len(below.weights) + len(above.weights) == len(model.weights)


def test_each_further_block_has_weights_and_all_blocks_have_all(name, model):
    network = zoo.lookup(name)
    counts = [
        len(keras.Model(network.cut(model, blocks), model.output).trainable_weights)
        for blocks in range(1, network.ENTRY.blocks + 1)
    ]
    assert all(fewer < more for fewer, more in zip([0, *counts], counts, strict=False))
    assert counts[-1] == len(model.trainable_weights)
    assert network.cut(model, network.ENTRY.blocks) is model.input


@pytest.mark.parametrize("blocks", [0, 99])
def test_more_blocks_than_there_are_is_an_error(name, model, blocks):
    network = zoo.lookup(name)
    with pytest.raises(ParameterError, match=f"blocks is {blocks} .* 1 to {network.ENTRY.blocks}"):
        network.cut(model, blocks)


def with_head(name, model):
    features = output(model, in_range(make.pictures(own_size(name))))
    head = models.head(features.shape[1], 3)
    models.standardise(head, features[:, None], np.arange(len(features)))
    kernel = np.random.default_rng(0).normal(size=(features.shape[1], 3)) / features.shape[1] ** 0.5
    head.get_layer("logits").kernel.assign(kernel)
    return keras.Model(model.input, head(model.output))


def test_its_onnx_graph_says_what_the_network_says(name, model):
    network = with_head(name, model)
    session = onnxruntime.InferenceSession(onnx_network(network, 2.0, name).SerializeToString())
    pixels = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
    (found,) = session.run(None, {"pixels": pixels})
    expected = keras.ops.softmax(network(in_range(pixels)) / 2)
    np.testing.assert_allclose(found, expected, atol=2e-2 if made_up_weights(name) else 1e-5)


TINY = ("tiny_cnn", "tiny_vit")  # TensorFlow's converter takes seconds for each of the others


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in TINY else pytest.mark.slow) for n in zoo.NETWORKS],
)
def test_its_litert_files_say_what_the_network_says(name, tmp_path):
    size = own_size(name)
    network = with_head(name, pretrained(name, size))
    pixels = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), np.uint8)
    expected = keras.ops.softmax(network(in_range(pixels)) / 2)
    for precision, content in litert_network.in_precisions(network, 2.0, make.pictures(size)):
        litert_files.write(content, {}, tmp_path / precision)
        found = litert_files.answering(tmp_path / precision, 2)(pixels)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        if precision == "float32":
            atol = 2e-2 if made_up_weights(name) else 1e-5
            np.testing.assert_allclose(found, expected, atol=atol)


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_vit", "mobilenet_v2"])
def test_fine_tuning_changes_the_upper_blocks_alone_and_no_statistics(name):
    network = zoo.lookup(name)
    model = pretrained(name, 32)
    before = {weight.path: weight.numpy() for weight in model.weights}
    cut = network.cut(model, 2)
    below, above = keras.Model(model.input, cut), keras.Model(cut, model.output)
    tuned = keras.Model(above.input, keras.layers.Dense(2, name="logits")(above.output))
    tuned.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    inputs = output(below, np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)))
    tuned.fit(inputs, np.arange(8) % 2, epochs=2, verbose=0)
    moved = {w.path for w in model.weights if not np.array_equal(w.numpy(), before[w.path])}
    # The bias of attention's keys has no effect on the softmax, so no gradient to speak of.
    trained = {w.path for w in above.trainable_weights if not w.path.endswith("key/bias")}
    assert trained <= moved <= {w.path for w in above.trainable_weights}
    assert not [path for path in moved if "/moving_" in path]


def test_plain_batch_norm_would_move_its_statistics_where_ours_does_not():
    """The trap that FixedBatchNorm is for: if Keras leaves it, so can we."""
    moved = {}
    for kind in (keras.layers.BatchNormalization, FixedBatchNorm):
        norm = kind()
        inputs = keras.Input((3,))
        model = keras.Model(inputs, norm(inputs, training=False))
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 3)), np.zeros((4, 3)), verbose=0)
        moved[kind] = bool(norm.moving_mean.numpy().any())
    assert moved == {keras.layers.BatchNormalization: True, FixedBatchNorm: False}


@pytest.mark.parametrize(
    ("name", "patch"),
    [
        ("dinov2_s14", 14),
        ("vit_b32", 32),
        ("vit_b16", 16),
        ("vit_r26_s32", 32),
        ("mobilevit_s", 32),
        ("tiny_vit", 8),
    ],
)
def test_a_picture_that_is_no_whole_number_of_patches_is_an_error(name, patch):
    with pytest.raises(
        ParameterError, match=f"image_size of {name} is 100; .* multiple of {patch}"
    ):
        zoo.lookup(name).backbone(100)


def test_an_unknown_network_is_an_error():
    with pytest.raises(ParameterError, match="resnet; allowed: efficientnet_lite0, dinov2_s14"):
        zoo.lookup("resnet")


def test_seeded_values_are_the_same_each_time():
    first, second = (zoo.lookup("tiny_vit").convert(None, 32) for _ in range(2))
    assert {path: value.tobytes() for path, value in first.items()} == {
        path: value.tobytes() for path, value in second.items()
    }


def test_position_embeddings_of_the_published_grid_stay_as_they_are():
    positions = np.random.default_rng(0).standard_normal((37 * 37, 4))
    np.testing.assert_array_equal(dinov2_s14._resized(positions, 37), positions)


@pytest.mark.parametrize("grid", [8, 16, 50])
def test_position_embeddings_are_resized_as_opencv_does_it(grid):
    positions = np.random.default_rng(0).standard_normal((37, 37, 4))
    expected = cv2.resize(positions, (grid, grid), interpolation=cv2.INTER_CUBIC)
    resized = dinov2_s14._resized(positions.reshape(-1, 4), grid).reshape(grid, grid, 4)
    np.testing.assert_allclose(resized, expected, atol=1e-5)


def test_the_table_names_every_network_and_starts_without_tensorflow(project):
    code = (
        "import sys, stages.zoo.__main__ as table; table.main(); assert 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    header, *rows = done.stdout.splitlines()
    assert header.startswith("name")
    assert [row.split()[0] for row in rows] == list(zoo.NETWORKS)
    assert "3,413,024" in rows[0]
