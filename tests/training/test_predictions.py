"""stages/training/predictions.py: what a network says of stored inputs."""

import keras
import numpy as np
import pytest

from stages.training.determinism import make_reproducible
from stages.training.predictions import BATCH, answering

make_reproducible(0)


def tokens_to_logits(tokens: int | None) -> keras.Model:
    taken = keras.Input((tokens, 4))
    return keras.Model(taken, keras.layers.Dense(2)(keras.ops.mean(taken, axis=1)))


@pytest.mark.parametrize("tokens", [3, None])
@pytest.mark.parametrize("count", [1, BATCH, BATCH + 5])
def test_every_input_is_answered_as_by_keras(tokens, count):
    network = tokens_to_logits(tokens)
    inputs = np.random.default_rng(0).normal(size=(count, 1, 3, 4)).astype(np.float16)
    expected = network(inputs[:, 0].astype(np.float32))
    assert np.allclose(answering(network)(inputs), expected, atol=1e-6)


def test_it_says_what_the_network_says_when_asked():
    network, inputs = tokens_to_logits(3), np.ones((2, 1, 3, 4), np.float32)
    answer = answering(network)
    before = answer(inputs)
    network.layers[-1].kernel.assign(network.layers[-1].kernel + 1)
    assert np.allclose(answer(inputs), before + 4, atol=1e-5)
