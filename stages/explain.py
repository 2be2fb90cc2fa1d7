"""Where a fine-tuned network looks: a heat map of every test picture, for the class it names.

All test pictures, as which of them the report shows depends on every network, and this stage on one
alone. It costs about what an epoch of training the whole network on them does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import tensorflow as tf

from stages.networks import attention_relevance, grad_cam, models
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.training import devices
from stages.training.determinism import make_reproducible

BATCH = 8


def main(model: str) -> str:
    listing = datasets.read_listing()
    make_reproducible(seed=0)  # nothing is drawn here
    devices.choose(load("device").device)
    network, card = models.load_trained(Path("models", model, "finetune"))
    files = [listing.files[row] for row in listing.rows("test")]
    pieces = datasets.pixels_in_pieces(files, card["image_size"], card["background"], BATCH)

    explain = explainer(network)
    shown = followed(pieces, f"explain {model}", len(files), "picture", len)
    found = [explain(datasets.scaled(pixels)).numpy() for pixels in shown]
    save_maps(Path("reports/maps", f"{model}.npy"), np.concatenate(found))
    return f"heat maps of {len(files):,} test pictures"


def explainer(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The method's function as a graph, which keeps no activation that the map does not need."""
    pictures = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    return tf.function(method(network).explainer(network), input_signature=[pictures])


def method(network: keras.Model) -> ModuleType:
    """By what a network ends in: a hybrid whose upper part is a transformer is read as one."""
    names = {layer.name for layer in network.layers}
    return attention_relevance if "Transformer_encoder_norm" in names else grad_cam


def save_maps(path: Path, relevance: np.ndarray) -> None:
    """Write (n, h, w) as uint8: each picture's least place 0, its most 255, a flat map all 0."""
    least = relevance.min(axis=(1, 2), keepdims=True)
    span = relevance.max(axis=(1, 2), keepdims=True) - least
    span = np.maximum(span, np.finfo(np.float32).tiny)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.round(255 * (relevance - least) / span).astype(np.uint8))


if __name__ == "__main__":
    run(main)
