"""What gpu.py does with a Keras network, on JAX: features, training steps, a matrix product."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# JAX reads these as it starts. Deterministic as the study is; memory is taken as it is needed, so
# that processes can share the GPU.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true"
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = "0.9"

import scipy  # noqa: F401, I001  JAX needs it, and keras_start.py hides it while Keras starts

import jax
import keras
import numpy as np

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

    `loss` takes targets and logits.
    """

    def __init__(
        self, network: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Callable
    ) -> None:
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
        """Train on a batch, of one shape always. → its loss, as it was before."""
        loss, self.trained, self.state = self._step(self.trained, self.state, inputs, targets)
        return loss

    def weights(self) -> list[np.ndarray]:
        """What is trained, as it is now."""
        return [np.asarray(value) for value in self.trained]


def _values(variables: list[keras.Variable]) -> list[jax.Array]:
    return [variable.value for variable in variables]


def _copies(variables: list[keras.Variable]) -> list[jax.Array]:
    return [jax.numpy.array(variable.value, copy=True) for variable in variables]
