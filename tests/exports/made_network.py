"""Tiny networks with a head, and pictures that have colours."""

import keras
import numpy as np

from stages.networks import models
from stages.training.determinism import make_reproducible

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 226, (24, 1, 1, 3), np.uint8)  # as pictures have, where noise has one
PIXELS = COLOURS + RNG.integers(0, 30, (24, 32, 32, 3), np.uint8)


def network_of(module) -> keras.Model:
    make_reproducible(0)
    backbone = module.backbone(32)
    features = backbone.predict_on_batch(PIXELS / np.float32(127.5) - 1)
    head = models.head(features.shape[1], 4)
    models.standardise(head, features[:, None], np.arange(len(features)))
    kernel = np.random.default_rng(1).normal(size=(features.shape[1], 4)) / 2
    head.get_layer("logits").kernel.assign(kernel)
    return keras.Model(backbone.input, head(backbone.output))
