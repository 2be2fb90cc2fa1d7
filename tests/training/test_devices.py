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
def test_without_a_gpu_all_runs_on_the_cpu_and_nothing_is_said(setting, capsys):
    device = devices.choose(setting)
    assert (device.precision, device.xla) == ("float32", False)
    assert device.strategy.num_replicas_in_sync == 1
    assert device.name.startswith("CPU with ")
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
@pytest.mark.parametrize(("family", "xla"), [("vit", True), ("cnn", False), ("hybrid", False)])
def test_on_the_cpu_xla_compiles_transformers_alone(family, xla):
    device = devices.choose("auto", family)
    assert device.xla == xla
    assert device.name.endswith("float32, XLA" if xla else "float32")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_ends_in_one_line():
    with pytest.raises(ParameterError, match="device is gpu; allowed here: auto or cpu"):
        devices.choose("gpu")


@pytest.fixture
def unused_gpu(monkeypatch, tmp_path):
    """A machine whose driver is there and whose GPU TensorFlow does not see: none is at hand."""
    driver = tmp_path / "nvidia-smi"
    driver.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
def test_a_gpu_that_tensorflow_cannot_use_is_one_line_with_the_remedy(unused_gpu, capsys):
    assert devices.choose("auto").name.startswith("CPU with ")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the CPU is used. TensorFlow cannot use this machine's NVIDIA")
    assert "`GPU=1 make repro` installs CUDA" in line
    assert "TF_CPP_MIN_LOG_LEVEL=0 dvc repro" in line
    assert line.endswith("(docs/gpu.md)")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
def test_a_gpu_that_is_asked_for_and_cannot_be_used_has_the_same_remedy(unused_gpu):
    with pytest.raises(ParameterError, match=r"cannot use .* `GPU=1 make repro`"):
        devices.choose("gpu")


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
@pytest.mark.parametrize("hidden", ["", "-1"])
def test_who_hides_the_gpu_or_wants_the_cpu_is_not_told(unused_gpu, hidden, monkeypatch, capsys):
    devices.choose("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    devices.choose("auto")
    assert capsys.readouterr() == ("", "")


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


def test_one_modern_gpu_has_mixed_precision_and_xla(monkeypatch, capsys):
    Gpus(monkeypatch, (9, 0))
    device = devices.choose("auto")
    assert (device.precision, device.xla) == ("mixed_bfloat16", True)
    assert device.strategy is tf.distribute.get_strategy()
    assert device.name == "1 × Made-up, mixed_bfloat16, XLA"
    assert capsys.readouterr().out == "device: 1 × Made-up, mixed_bfloat16, XLA\n"


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
targets, rows = one_hot(labels, 2), np.arange(40)
batches = Batches(pixels.astype(np.uint8), targets, rows, EVERYTHING, seed=0)
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
