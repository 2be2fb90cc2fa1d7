import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from stages.errors import ParameterError
from stages.training import devices

PROJECT = Path(__file__).parents[2]
GPU = tf.config.list_physical_devices("GPU")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
@pytest.mark.parametrize("setting", ["auto", "cpu"])
def test_without_a_gpu_all_runs_on_the_cpu(setting, capsys):
    device = devices.choose(setting)
    assert (device.precision, device.xla) == ("float32", False)
    assert device.strategy.num_replicas_in_sync == 1
    assert capsys.readouterr().out.startswith("device: CPU with ")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
@pytest.mark.parametrize(("family", "xla"), [("vit", True), ("cnn", False), ("hybrid", False)])
def test_on_the_cpu_xla_compiles_transformers_alone(family, xla, capsys):
    assert devices.choose("auto", family).xla == xla
    assert capsys.readouterr().out.endswith("float32, XLA\n" if xla else "float32\n")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_ends_in_one_line():
    with pytest.raises(ParameterError, match="device is gpu; allowed here: auto or cpu"):
        devices.choose("gpu")


class Gpus:
    """What TensorFlow says of GPUs on a machine that has some: none is at hand."""

    def __init__(self, monkeypatch, *capabilities: tuple[int, int]) -> None:
        self.facts = dict(zip("abcd", capabilities, strict=False))
        config = tf.config
        monkeypatch.setattr(config, "list_physical_devices", lambda _: list(self.facts))
        monkeypatch.setattr(config, "set_visible_devices", lambda *_: None)
        monkeypatch.setattr(config.experimental, "set_memory_growth", lambda *_: None)
        monkeypatch.setattr(config.experimental, "get_device_details", self.details)
        monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "mirrored")

    def details(self, gpu: str) -> dict:
        return {"device_name": "Made-up", "compute_capability": self.facts[gpu]}


def test_one_modern_gpu_has_mixed_precision_and_xla(monkeypatch):
    Gpus(monkeypatch, (9, 0))
    device = devices.choose("auto")
    assert (device.precision, device.xla) == ("mixed_bfloat16", True)
    assert device.strategy is tf.distribute.get_strategy()
    assert device.name == "1 × Made-up, mixed_bfloat16, XLA"


def test_an_older_gpu_keeps_whole_precision(monkeypatch):
    Gpus(monkeypatch, (7, 5))
    assert devices.choose("gpu").precision == "float32"


def test_several_gpus_share_every_batch(monkeypatch):
    Gpus(monkeypatch, (8, 0), (8, 0))
    device = devices.choose("auto")
    assert (device.strategy, device.xla) == ("mirrored", False)


def test_gpus_of_two_kinds_have_the_precision_of_the_older(monkeypatch):
    Gpus(monkeypatch, (9, 0), (7, 5))
    assert devices.choose("auto").precision == "float32"


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_vit"])
def test_mixed_precision_trains_float32_weights(name):
    """In a process of its own, as the policy is Keras's for all that is built."""
    script = f"""
import keras, numpy as np, tensorflow as tf
from stages import zoo
from stages.networks import models
from stages.training import devices
from stages.training.batches import Batches, Validation, one_hot
from stages.training.trainer import Trainer
from tests.training.small_training import EVERYTHING
keras.config.set_dtype_policy("mixed_bfloat16")
keras.utils.set_random_seed(0)
backbone = zoo.lookup("{name}").backbone(32)
upper = models.upper(backbone, models.cut_at("{name}", backbone, 1), pixels=True)
head = models.head(upper.output_shape[1], 2)
network = keras.Model(upper.input, head(upper.output))
assert backbone.layers[-2].compute_dtype == "bfloat16"
rng, labels = np.random.default_rng(0), np.arange(40) % 2
pixels = rng.uniform(0, 100, (40, 1, 32, 32, 3)) + 100 * labels[:, None, None, None, None]
batches = Batches(pixels.astype(np.uint8), one_hot(labels, 2), EVERYTHING, seed=0)
trainer = Trainer(network, batches, devices.choose("cpu"))
validation = Validation(batches.inputs, batches.targets, np.arange(40), 8)
before = trainer.validate(validation)
for chunk in batches.epochs(1):
    trainer.train(*chunk)
after = trainer.validate(validation)
assert all(variable.dtype == "float32" for variable in network.trainable_variables)
assert network.output.dtype == "float32"
assert after["val_accuracy"] > 0.9 > before["val_accuracy"], (before, after)
"""
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)
