"""Heat maps against the methods' own definitions, on the tiny networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from vit_keras.layers import TransformerBlock

from stages import zoo
from stages.networks import attention_relevance, grad_cam, models
from stages.networks.heat_maps import explainer, levels, method


def classifier(name):
    """A tiny network with a head of random numbers: its backbone, the head, both together."""
    keras.utils.set_random_seed(1)
    backbone = zoo.lookup(name).backbone(32)
    for variable in backbone.trainable_variables:
        variable.assign(np.random.default_rng(len(variable.path)).normal(0, 0.3, variable.shape))
    head = models.head(backbone.output_shape[1], 3)
    weights = np.random.default_rng(0).normal(size=head.get_layer("logits").kernel.shape)
    head.get_layer("logits").kernel.assign(weights)
    return backbone, head, keras.Model(backbone.input, head(backbone.output))


@pytest.fixture
def pictures():
    return np.random.default_rng(0).uniform(-1, 1, (5, 32, 32, 3)).astype(np.float32)


def test_grad_cam_before_a_global_pooling_is_the_class_activation_map(pictures):
    backbone, head, network = classifier("tiny_cnn")
    last = backbone.get_layer("pool").input
    maps = keras.Model(backbone.input, last)(pictures).numpy()
    named = network(pictures).numpy().argmax(axis=1)
    norm, dense = head.get_layer("standardise"), head.get_layer("logits")
    weights = np.asarray(dense.kernel)[:, named].T / np.sqrt(np.asarray(norm.variance))  # (5, 32)
    places = maps.shape[1] * maps.shape[2]
    expected = np.maximum(np.einsum("nhwc,nc->nhw", maps, weights), 0) / places
    assert explainer(network)(pictures).numpy() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_attention_relevance_is_that_of_the_paper_for_a_class_token(pictures):
    """Chefer et al. 2021, equations 5 and 6: R = 1, R += mean(relu(gradient · A)) R."""
    _, _, network = classifier("tiny_vit")
    blocks = [layer for layer in network.layers if isinstance(layer, TransformerBlock)]
    inner = keras.Model(network.input, [*(block.output[1] for block in blocks), network.output])
    explain = explainer(network)
    for picture in pictures[:, None]:
        with tf.GradientTape() as tape:
            *attentions, logits = inner(picture)
            named = tf.reduce_max(logits)
        gains = tape.gradient(named, attentions)
        relevance = np.eye(attentions[0].shape[-1])
        for weights, gain in zip(attentions, gains, strict=True):
            relevance = relevance + np.maximum(gain * weights, 0)[0].mean(axis=0) @ relevance
        expected = relevance[0, 1:].reshape(4, 4)
        found = explain(picture)[0].numpy()
        # What the class token adds to the logit is a factor that no place of the map depends on.
        assert found / found.sum() == pytest.approx(expected / expected.sum(), rel=1e-3)


def test_a_map_goes_from_least_to_most_and_a_flat_one_is_empty():
    relevance = np.array([[[1.0, 3.0], [2.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]]])
    assert levels(relevance).tolist() == [[[0, 255], [128, 0]], [[0, 0], [0, 0]]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny_cnn", grad_cam),
        ("tiny_vit", attention_relevance),
        ("vit_r26_s32", attention_relevance),
    ],
)
def test_what_ends_in_a_transformer_is_read_as_one(name, expected):
    assert method(zoo.lookup(name).backbone(64)) is expected
