"""Batch normalisation that keeps the published statistics while it is trained."""

import keras


@keras.saving.register_keras_serializable("vitoon")
class FixedBatchNorm(keras.layers.BatchNormalization):
    """Uses the moving mean and variance in training too; gamma and beta are trained.

    `fit` of Keras 3 overrides the `training=False` of a call in a functional graph: the statistics
    move towards those of small batches, and validation accuracy falls to chance. A subclass is
    what it does not override.
    """

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)
