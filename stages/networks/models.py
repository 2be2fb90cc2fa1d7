"""Networks on disk: a pretrained backbone, a head, and a trained model as a folder of its own."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

from stages import zoo
from stages.networks.batch_norm_folding import folded
from stages.networks.weight_files import load_weights, save_weights
from stages.params import own_value
from stages.pictures.datasets import Listing, scaled
from stages.tables import read_json, write_json

BACKBONE, HEAD, CARD = "backbone.safetensors", "head.safetensors", "card.json"
LOGITS = "logits.npy"
TOKENS = 3  # dimensions of a transformer's activations (n, tokens, width), the class token first
PIECE = 1 << 24  # bytes of features read at once


def pretrained(name: str) -> keras.Model:
    """The backbone that the stage `weights` made: [-1, 1] RGB (n, size, size, 3) → features."""
    return load_backbone(pretrained_folder(name))


def pretrained_folder(name: str) -> Path:
    return Path("models", name, "pretrained")


def head(features: int, classes: int) -> keras.Model:
    """float32 (n, features) → logits (n, classes): features are standardised, then weighted.

    Mean and variance are facts of the training features, not trained; with them one learning rate
    serves every backbone. The head is float32 where the backbone is of mixed precision.
    """
    layers = [
        keras.Input((features,)),
        keras.layers.Normalization(name="standardise", dtype="float32"),
        # The loss is convex in these weights: from zero, no random start is left in the logits.
        keras.layers.Dense(classes, kernel_initializer="zeros", name="logits", dtype="float32"),
    ]
    return keras.Sequential(layers, name="head")


def standardise(head: keras.Model, features: np.ndarray, rows: np.ndarray) -> None:
    """Give a head the mean and variance of some rows of features (n, views, features).

    As `Normalization.adapt` does, but in pieces: the features may be memory-mapped, and larger
    than the memory.
    """
    pieces = np.array_split(rows, 1 + len(rows) * features[0].nbytes // PIECE)
    numbers = len(rows) * features.shape[1]
    mean = sum(features[piece].sum(axis=(0, 1), dtype=np.float64) for piece in pieces) / numbers
    variance = sum(((features[piece] - mean) ** 2).sum(axis=(0, 1)) for piece in pieces) / numbers
    layer = head.get_layer("standardise")
    for own, value in zip(layer.weights, (mean, variance, 0), strict=True):
        own.assign(value)
    layer.finalize_state()


def cut_at(name: str, backbone: keras.Model, setting: object) -> keras.KerasTensor:
    """Where the tuned blocks begin, for a value of `finetune.blocks`; the input where all are.

    Raises ParameterError where the network has fewer blocks.
    """
    return zoo.lookup(name).cut(backbone, tuned_blocks(name, setting))


def tuned_blocks(name: str, setting: object) -> int:
    """How many blocks a value of `finetune.blocks` means for a network."""
    entry = zoo.lookup(name).ENTRY
    blocks = own_value(setting, name, entry.tune_blocks)
    return entry.blocks if blocks == "all" else blocks


def upper(backbone: keras.Model, cut: keras.KerasTensor, pixels: bool) -> keras.Model:
    """The tuned part: activations at the cut → features. It shares its weights with the backbone.

    With `pixels` it takes pixels 0–255 and has the frozen part below the cut inside it; else, of a
    transformer, any number of tokens.
    """
    if not pixels:
        own = folded(keras.Model(cut, backbone.output))
        return with_any_number_of_tokens(own) if len(cut.shape) == TOKENS else own
    if cut is not backbone.input:
        for layer in keras.Model(backbone.input, cut).layers:
            layer.trainable = False
    taken = keras.Input(backbone.input_shape[1:])
    return keras.Model(taken, folded(backbone)(scaled(taken)))


def with_any_number_of_tokens(network: keras.Model) -> keras.Model:
    """The same on the same variables: (n, tokens, width) → …, where it took a number of them."""
    taken = keras.Input((None, network.input_shape[-1]))
    return keras.models.clone_model(network, taken, clone_function=lambda own: own)


def save_trained(
    folder: Path,
    backbone: Path | keras.Model,
    head: keras.Model,
    trained: int,
    card: dict,
    logits: np.ndarray,
) -> None:
    """Write a model that can be loaded from its folder alone: two weight files and a card.

    What it says of every picture of the study, `logits` (n, classes), lies beside them: whoever
    evaluates it needs no network.

    `backbone` is a model, or the file of one that was not trained; `trained` counts the parameters
    that were. The card names at least `network`, `image_size`, `background` and `classes` in the
    order of the logits. Numbers of parameters are added to it, and sizes in bytes: of the weights,
    and with the two moments that Adam keeps for each trained parameter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(backbone, Path):
        shutil.copyfile(backbone, folder / BACKBONE)  # the same bytes: DVC caches them once
    else:
        save_weights(backbone, folder / BACKBONE)
    save_weights(head, folder / HEAD)
    size = sum((folder / file).stat().st_size for file in (BACKBONE, HEAD))
    total = zoo.lookup(card["network"]).ENTRY.parameters + count(head.get_layer("logits").weights)
    moments = 2 * np.dtype(np.float32).itemsize * trained
    facts = {
        "parameters": total,
        "trained_parameters": trained,
        "bytes": {"weights": size, "with_optimizer": size + moments},
    }
    write_json(folder / CARD, card | facts)
    np.save(folder / LOGITS, logits)


def count(variables: list[keras.Variable]) -> int:
    """How many numbers some variables hold."""
    return sum(int(np.prod(variable.shape)) for variable in variables)


def card(
    name: str, phase: str, listing: Listing, params: SimpleNamespace, chosen: dict
) -> dict[str, object]:
    """What must be known of a trained model to use it, and to trace where it came from.

    `params` has `seed`, `rgb.background` and the settings of the phase, `chosen` is what
    the training engine says of the epoch whose weights these are.
    """
    entry = zoo.lookup(name).ENTRY
    made_from = read_json(pretrained_folder(name) / CARD)
    return {
        "network": name,
        "title": entry.title,
        "family": entry.family,
        "phase": phase,
        "image_size": made_from["image_size"],
        "background": params.rgb.background,
        "classes": listing.classes,
        "seed": params.seed,
        "training": getattr(params, phase).model_dump(),
        "chosen": chosen,
        "split_sha256": hashlib.sha256(Path("data/split.csv").read_bytes()).hexdigest(),
    }


def load_trained(folder: Path) -> tuple[keras.Model, dict]:
    """A trained model, RGB in [-1, 1] → logits, and its card."""
    card = read_json(folder / CARD)
    backbone = load_backbone(folder)
    top = load_head(folder, backbone.output_shape[1], len(card["classes"]))
    return keras.Model(backbone.input, top(backbone.output)), card


def load_head(folder: Path, features: int, classes: int) -> keras.Model:
    """The head of a trained model."""
    top = head(features, classes)
    load_weights(top, folder / HEAD)
    top.get_layer("standardise").finalize_state()  # it works with what it derives from its weights
    return top


def load_backbone(folder: Path) -> keras.Model:
    """The backbone of a model, as `pretrained` gives it."""
    card = read_json(folder / CARD)
    backbone = zoo.lookup(card["network"]).backbone(card["image_size"])
    load_weights(backbone, folder / BACKBONE)
    return backbone
