"""What is timed of a Keras network, on JAX: its features, and training steps like the study's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax
import keras
import numpy as np

from stages import zoo

HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}  # environment without GPUs
NAME = f"Keras {keras.version()}, JAX {jax.__version__}"


def device() -> str | None:
    """The name of the first GPU; None where JAX sees none."""
    first = jax.devices()[0]
    return None if first.platform == "cpu" else first.device_kind


@contextmanager
def without_tf32() -> Iterator[None]:
    """float32 products in float32, not in the 10 bits of mantissa that GPUs take for them."""
    with jax.default_matmul_precision("highest"):
        yield


def on_device(array: np.ndarray) -> jax.Array:
    return jax.device_put(array)


def wait(result: jax.Array) -> None:
    """JAX returns before the device has finished."""
    jax.block_until_ready(result)


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    return _product(a, b)


_product = jax.jit(jax.numpy.matmul)


def forward(network: keras.Model) -> Callable[[jax.Array], jax.Array]:
    """Inputs of the network → its output, compiled, by the weights that it has in each call."""
    variables = network.trainable_variables, network.non_trainable_variables
    run = jax.jit(lambda *values: network.stateless_call(*values, training=False)[0])
    return lambda inputs: run(*map(_values, variables), inputs)


class Training:
    """Steps of a network's training, each compiled as a whole; the network itself stays as it is.

    Optimiser and loss are those of `finetune` by default, without its schedule.
    """

    def __init__(self, name: str, network: keras.Model, size: int) -> None:
        rate = zoo.lookup(name).ENTRY.tune_rate
        optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        optimizer.build(network.trainable_variables)
        self.trained = _copies(network.trainable_variables)
        self.state = _copies(optimizer.variables)
        fixed = _values(network.non_trainable_variables)

        def losses(trained: list, inputs: object, targets: object) -> object:
            logits, _ = network.stateless_call(trained, fixed, inputs, training=True)
            return loss(targets, logits)

        def step(trained: list, state: list, inputs: object, targets: object) -> tuple:
            value, gradients = jax.value_and_grad(losses)(trained, inputs, targets)
            return value, *optimizer.stateless_apply(state, gradients, trained)

        self._step = jax.jit(step, donate_argnums=(0, 1))  # new weights take the old ones' memory

    def step(self, inputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Train on a batch of `size`. → its loss, as it was before."""
        loss, self.trained, self.state = self._step(self.trained, self.state, inputs, targets)
        return loss

    def weights(self) -> list[np.ndarray]:
        """What is trained, as it is now."""
        return [np.asarray(value) for value in self.trained]


def _values(variables: list[keras.Variable]) -> list[jax.Array]:
    return [variable.value for variable in variables]


def _copies(variables: list[keras.Variable]) -> list[jax.Array]:
    return [jax.numpy.array(variable.value, copy=True) for variable in variables]
