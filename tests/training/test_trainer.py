import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.training import devices
from stages.training import trainer as trainer_module
from stages.training.batches import Batches, Validation, one_hot
from stages.training.determinism import make_reproducible
from stages.training.trainer import Trainer, class_weights, schedule
from tests.training.small_training import EVERYTHING, PLAIN, blobs

make_reproducible(0)

PROJECT = Path(__file__).parents[2]


def dense() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((3,)), keras.layers.Dense(4, name="low"), keras.layers.Dense(2)]
    return keras.Sequential(layers, name="net")


def examples(settings) -> Batches:
    points, labels = blobs()
    return Batches(points[:, None], one_hot(labels, 2), np.arange(30), settings, seed=0)


def after_an_epoch(settings, device=None, rates=None) -> tuple[keras.Model, np.ndarray]:
    """A network after an epoch of training, and the epoch's sums."""
    batches, model = examples(settings), dense()
    trainer = Trainer(model, batches, device or devices.choose("cpu"), rates)
    return model, sum(trainer.train(*chunk).numpy() for chunk in batches.epoch(1))


def test_an_epoch_does_what_fit_of_keras_does():
    model, (loss, right) = after_an_epoch(PLAIN)
    other = dense()
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    other.compile(keras.optimizers.Adam(0.05), crossentropy, metrics=["accuracy"])
    batches = [b for chunk in examples(PLAIN).epoch(1) for b in zip(*chunk, strict=True)]
    logs = [other.train_on_batch(*batch, return_dict=True) for batch in batches]
    sizes = [len(inputs) for inputs, _ in batches]
    assert loss == pytest.approx(np.dot(sizes, [log["loss"] for log in logs]), rel=1e-5)
    assert right == pytest.approx(np.dot(sizes, [log["accuracy"] for log in logs]))
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.allclose(mine, theirs, atol=1e-6)


def test_a_compiled_update_is_the_plain_one(monkeypatch):
    rates = {"net/low/kernel": 0.5}
    plain, sums = after_an_epoch(EVERYTHING, rates=rates)
    monkeypatch.setattr(trainer_module, "COMPILED", 1)
    model, again = after_an_epoch(EVERYTHING, rates=rates)
    assert sums == pytest.approx(again, rel=1e-5)
    for mine, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert np.allclose(mine, theirs, atol=1e-6)


def test_a_head_is_too_small_for_it_and_a_network_is_not():
    device = devices.choose("cpu")
    head, network = (
        keras.Sequential([keras.Input((size,)), keras.layers.Dense(size // 100)])
        for size in (1000, 10_000)
    )
    assert not trainer_module.pays_compiled(head, device)
    assert trainer_module.pays_compiled(network, device)


def test_a_clipped_step_is_that_of_keras():
    settings = PLAIN.model_copy(update={"clip_norm": 0.01})
    model, _ = after_an_epoch(settings)
    other = dense()
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    other.compile(keras.optimizers.Adam(0.05, global_clipnorm=0.01), crossentropy)
    for chunk in examples(settings).epoch(1):
        for batch in zip(*chunk, strict=True):
            other.train_on_batch(*batch)
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.allclose(mine, theirs, atol=1e-6)


def test_validation_is_what_evaluate_of_keras_says():
    points, labels = blobs()
    model, targets = dense(), one_hot(labels, 2)
    trainer = Trainer(model, examples(PLAIN), devices.choose("cpu"))
    rows = np.arange(7, 40)
    found = trainer.validate(Validation(points[:, None], targets, rows, batch_size=4))
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(loss=crossentropy, metrics=["accuracy"])
    loss, accuracy = model.evaluate(points[rows], targets[rows], verbose=0)
    assert found["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert found["val_accuracy"] == pytest.approx(accuracy)


def test_a_variable_learns_at_its_share_of_the_rate():
    before = dense().get_layer("low").kernel.numpy()
    settings = PLAIN.model_copy(update={"batch_size": 40})  # one step
    moved = []
    for rates in ({}, {"net/low/kernel": 0.25}):
        model, _ = after_an_epoch(settings, rates=rates)
        moved.append(model.get_layer("low").kernel.numpy() - before)
    assert np.allclose(moved[1], 0.25 * moved[0], rtol=1e-3, atol=1e-7)


def test_balanced_classes_weigh_the_same_in_all():
    targets = one_hot(np.array([0, 0, 0, 1]), 2)
    weights = class_weights(targets, "balanced")
    assert (targets * weights).sum(axis=0).tolist() == pytest.approx([2.0, 2.0])
    assert class_weights(targets, "none") is None


def test_class_weights_do_what_those_of_fit_do():
    settings = PLAIN.model_copy(update={"class_weights": "balanced"})
    points, labels = blobs()
    labels = np.where(np.arange(40) % 5 == 0, labels, 0)  # a class of 4 among 40
    batches = Batches(points[:, None], one_hot(labels, 2), np.arange(len(labels)), settings, seed=0)
    model, other = dense(), dense()
    trainer = Trainer(model, batches, devices.choose("cpu"))
    weights = dict(enumerate(class_weights(batches.targets, "balanced")))
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    other.compile(keras.optimizers.Adam(0.05), crossentropy)
    for chunk in batches.epoch(1):
        trainer.train(*chunk)
        for batch in zip(*chunk, strict=True):
            other.train_on_batch(*batch, class_weight=weights)
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.allclose(mine, theirs, atol=1e-6)


def test_a_compiled_step_does_the_same():
    plain, sums = after_an_epoch(EVERYTHING)
    device = devices.Device(tf.distribute.get_strategy(), "float32", xla=True, name="XLA")
    compiled, other = after_an_epoch(EVERYTHING, device)
    assert np.allclose(sums, other, rtol=1e-5)
    for mine, theirs in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        assert np.allclose(mine, theirs, atol=1e-5)


def test_several_devices_do_what_one_does():
    """In a process of its own: TensorFlow is told of more devices before it starts."""
    script = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from stages.training import devices
from stages.training.batches import Batches
from stages.training.trainer import Trainer
from tests.training.small_training import EVERYTHING
from tests.training.test_trainer import dense, examples
found = []
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for strategy in (tf.distribute.get_strategy(), mirrored):
    device = devices.Device(strategy, "float32", xla=False, name="")
    batches = examples(EVERYTHING)  # batches of 4, the last one of 2
    with strategy.scope():
        model = dense()
    trainer = Trainer(model, batches, device)
    sums = sum(trainer.train(*p).numpy() for e in (1, 2, 3) for p in batches.epoch(e))
    found.append([sums, *model.get_weights()])
assert mirrored.num_replicas_in_sync == 2
for one, other in zip(*found, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
"""
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)


def test_the_rate_warms_up_to_its_peak_and_falls_to_zero():
    settings = PLAIN.model_copy(update={"schedule": "cosine", "warmup_epochs": 1})
    rate = schedule(settings, steps_per_epoch=10, peak=0.05)
    assert float(rate(0)) == 0.0
    assert float(rate(10)) == pytest.approx(0.05)
    assert float(rate(60)) == pytest.approx(0.0, abs=1e-8)


def test_a_constant_rate_stays_after_its_warm_up():
    settings = PLAIN.model_copy(update={"warmup_epochs": 1})
    rate = schedule(settings, steps_per_epoch=10, peak=0.05)
    assert float(rate(5)) == pytest.approx(0.025)
    assert float(rate(59)) == pytest.approx(0.05)
