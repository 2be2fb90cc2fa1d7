"""A network in training: what TensorFlow does with a chunk of batches, on one device or several."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from stages.networks import models
from stages.params import Training
from stages.training.batches import Batches, Validation
from stages.training.devices import Device

COMPILED = 100_000  # trained values


class Trainer:
    """A network (… → logits), and the two functions that TensorFlow makes of it.

    `rates` gives the share of the learning rate that a variable has, by its path; 1 for others.
    The network is built in the scope of the device's strategy.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Batches,
        device: Device,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.model, self.settings, self.device = model, batches.settings, device
        self._compiled_in = compiled_in(batches)
        self.class_weights = class_weights(
            batches.targets[batches.rows], self.settings.class_weights
        )
        with device.strategy.scope():
            self.optimizers = optimizers(model, self.settings, len(batches), rates or {})
        shapes = model.input_shape[1:], model.output_shape[1:]
        signature = [tf.TensorSpec((None, None, *shape), tf.float32) for shape in shapes]
        self.train = tf.function(self._train, input_signature=signature)
        self.watch = tf.function(self._watch, input_signature=signature)
        self._one_step = tf.function(self._step, jit_compile=True) if device.xla else self._step
        self._update = self._updated
        if not device.xla and pays_compiled(model, device):
            self._update = tf.function(self._updated, jit_compile=True)

    def serves(self, batches: Batches) -> bool:
        """Whether one for these batches would do the same with them."""
        return self._compiled_in == compiled_in(batches)

    @property
    def state(self) -> list[keras.Variable]:
        """All that a step changes, and what it does not: the network's variables first."""
        inner = [variable for one, _ in self.optimizers for variable in one.variables]
        return [*self.model.variables, *inner]

    def validate(self, validation: Validation) -> dict[str, float]:
        """Mean cross-entropy and accuracy of the network as it is."""
        loss, right = sum(self.watch(*chunk).numpy().astype(float) for chunk in validation.chunks())
        return {"val_loss": loss / len(validation), "val_accuracy": right / len(validation)}

    def _train(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Train on a chunk of batches. → sum of the losses, number of right answers."""
        strategy, total = self.device.strategy, tf.zeros(2)
        if self.device.xla:
            # It compiles each size of a batch anew, so the last one gets that of the others.
            missing = self.settings.batch_size - tf.shape(inputs)[1]
            inputs, targets = lengthened(inputs, missing), lengthened(targets, missing)
        for row in tf.range(tf.shape(inputs)[0]):
            parts = strategy.run(self._one_step, (inputs[row], targets[row]))
            total += strategy.reduce("SUM", parts, axis=None)
        return total

    def _step(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Train on this replica's part of a batch. → sum of its losses, number of right answers."""
        replica = tf.distribute.get_replica_context()
        count, size = replica.num_replicas_in_sync, tf.reduce_sum(shown(targets))
        if count > 1:
            mine = replica.replica_id_in_sync_group
            inputs, targets = inputs[mine::count], targets[mine::count]
        with tf.GradientTape() as tape:
            losses, right = self._losses(inputs, targets, training=True)
            if self.class_weights is not None:
                losses *= tf.linalg.matvec(targets, self.class_weights)
            loss = tf.reduce_sum(losses) / size
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        if count > 1:  # Keras adds up what replicas give it, but clips before: so do both here
            gradients = [part / count for part in replica.all_reduce("SUM", gradients)]
        self._update(gradients)
        return tf.stack([tf.reduce_sum(losses), right])

    def _updated(self, gradients: list[tf.Tensor]) -> None:
        """Clip this replica's gradients, and let the optimisers take their step."""
        variables = self.model.trainable_variables
        if self.settings.clip_norm:
            norm = self.settings.clip_norm / self.device.strategy.num_replicas_in_sync
            gradients, _ = tf.clip_by_global_norm(gradients, norm)
        for one, rows in self.optimizers:
            one.apply([gradients[row] for row in rows], [variables[row] for row in rows])

    def _watch(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Of a chunk of batches, without training: sum of the losses, number of right answers."""
        total = tf.zeros(2)
        for row in tf.range(tf.shape(inputs)[0]):
            losses, right = self._losses(inputs[row], targets[row], training=False)
            total += tf.stack([tf.reduce_sum(losses), right])
        return total

    def _losses(
        self, inputs: tf.Tensor, targets: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Each one's cross-entropy, and how many were classified correctly."""
        logits = self.model(inputs, training=training)
        right = tf.argmax(targets, axis=1) == tf.argmax(logits, axis=1)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        counted = shown(targets)
        return counted * losses, tf.reduce_sum(counted * tf.cast(right, tf.float32))


def pays_compiled(model: keras.Model, device: Device) -> bool:
    """Whether XLA compiles the optimiser's step alone: it goes through the memory once, not often.

    A head is so small that to start the compiled function takes longer; several devices meet in the
    middle of a step, which XLA cannot compile.
    """
    large = models.count(model.trainable_variables) >= COMPILED
    return large and device.strategy.num_replicas_in_sync == 1


def lengthened(batches: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """(batches, batch, …) with `missing` more rows of zeros in each batch."""
    return tf.pad(batches, [[0, 0], [0, missing], *[[0, 0]] * (len(batches.shape) - 2)])


def shown(targets: tf.Tensor) -> tf.Tensor:
    """float32 (n,): 1 for an example, 0 for what a batch was lengthened by, whose target is 0."""
    return tf.cast(tf.reduce_any(targets > 0, axis=1), tf.float32)


def class_weights(targets: np.ndarray, setting: str) -> np.ndarray | None:
    """What each class counts in the loss, float32 (classes,); None where all count the same.

    `balanced` weighs a class by pictures / (classes · its pictures), as scikit-learn does.
    """
    if setting == "none":
        return None
    counts = np.maximum(targets.sum(axis=0), 1)  # a fold may leave a small class no picture
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def compiled_in(batches: Batches) -> tuple:
    """What the functions of a trainer have in them of the batches that it was made for."""
    settings = batches.settings
    weights = class_weights(batches.targets[batches.rows], settings.class_weights)
    shapes = batches.inputs.shape[2:], batches.targets.shape[1:]
    steps = 0 if is_constant(settings) else len(batches)
    return *shapes, settings, steps, None if weights is None else weights.tobytes()


def optimizers(
    model: keras.Model, settings: Training, steps_per_epoch: int, rates: Mapping[str, float]
) -> list[tuple[keras.optimizers.Optimizer, list[int]]]:
    """An optimiser for each share of the learning rate, and the trainable variables that it has."""
    variables = model.trainable_variables
    shares = [rates.get(variable.path, 1.0) for variable in variables]
    found = []
    for share in sorted(set(shares)):
        rows = [row for row, own in enumerate(shares) if own == share]
        found.append((optimizer(settings, steps_per_epoch, share), rows))
        found[-1][0].build([variables[row] for row in rows])
    return found


def optimizer(settings: Training, steps_per_epoch: int, share: float) -> keras.optimizers.Optimizer:
    """Adam or AdamW with the learning-rate schedule of the settings; clipping is the step's."""
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
    decay = {"weight_decay": settings.weight_decay} if settings.optimizer == "adamw" else {}
    rate = share * settings.learning_rate
    return kinds[settings.optimizer](schedule(settings, steps_per_epoch, rate), **decay)


def schedule(settings: Training, steps_per_epoch: int, peak: float):
    """The learning rate by step: linear warm-up, then constant or down a cosine to zero.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    if is_constant(settings):
        return peak
    warmup = settings.warmup_epochs * steps_per_epoch
    steps = max(1, settings.epochs * steps_per_epoch - warmup)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else peak,
        decay_steps=steps,
        alpha=0.0 if settings.schedule == "cosine" else 1.0,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )


def is_constant(settings: Training) -> bool:
    """Whether the learning rate is the same in every step."""
    return settings.schedule == "constant" and not settings.warmup_epochs
