import keras
import numpy as np
import pytest
import tensorflow as tf

from stages import zoo
from stages.networks.batch_norm_folding import NormedConvolution, folded
from stages.training.determinism import make_reproducible
from stages.zoo.parts.fixed_batch_norm import FixedBatchNorm

make_reproducible(0)

WITH_NORMS = (
    *("tiny_cnn", "efficientnet_lite0", "mobilenet_v2", "mobilenet_v3_large"),
    *("efficientnet_v2_b0", "mobilevit_s"),
)


def with_statistics(network: keras.Model) -> keras.Model:
    """Values as training leaves them: the fresh ones, 0 and 1, would hide what is left out."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, FixedBatchNorm):
            for variable in layer.weights:
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return network


def small(**settings) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    image = keras.Input((8, 8, 3))
    return image, keras.layers.Conv2D(4, 3, **{"use_bias": False} | settings)(image)


def count(network: keras.Model, kind: type) -> int:
    return sum(isinstance(layer, kind) for layer in network.layers)


@pytest.mark.parametrize("name", WITH_NORMS)
def test_a_folded_network_gives_what_the_network_gives(name):
    keras.utils.set_random_seed(0)
    network = with_statistics(zoo.lookup(name).backbone(64))
    other = folded(network)
    assert count(network, FixedBatchNorm) == count(other, NormedConvolution) > 0
    assert count(other, FixedBatchNorm) == 0
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    expected, found = (model(pictures, training=False).numpy() for model in (network, other))
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


def test_it_learns_what_the_network_learns():
    network = with_statistics(zoo.lookup("tiny_cnn").backbone(32))
    pictures = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    gradients = []
    for model in (network, folded(network)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(pictures, training=True) ** 2)
        gradients.append(tape.gradient(loss, model.trainable_variables))
    paths = [
        [variable.path for variable in model.variables] for model in (network, folded(network))
    ]
    assert paths[0] == paths[1]
    for mine, theirs in zip(*gradients, strict=True):
        assert np.allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_what_is_frozen_stays_frozen():
    network = zoo.lookup("tiny_cnn").backbone(32)
    for layer in network.layers[:-6]:
        layer.trainable = False
    frozen = {variable.path for variable in network.non_trainable_variables}
    assert frozen == {variable.path for variable in folded(network).non_trainable_variables}
    assert [path for path in frozen if path.endswith("kernel")]


@pytest.mark.parametrize("settings", [{"use_bias": True}, {"activation": "relu"}])
def test_a_convolution_that_does_more_is_left_as_it_is(settings):
    image, maps = small(**settings)
    network = keras.Model(image, FixedBatchNorm()(maps))
    assert folded(network) is network


def test_a_convolution_that_is_read_twice_is_left_as_it_is():
    image, maps = small()
    normed = FixedBatchNorm()(maps)
    for outputs in ([normed, maps], keras.layers.Add()([normed, maps])):
        network = keras.Model(image, outputs)
        assert folded(network) is network


def test_a_norm_whose_convolution_is_not_of_the_network_is_left_as_it_is():
    _, maps = small()
    network = keras.Model(maps, FixedBatchNorm()(maps))
    assert folded(network) is network


def test_a_network_without_norms_is_itself():
    image, maps = small()
    network = keras.Model(image, maps)
    assert folded(network) is network
