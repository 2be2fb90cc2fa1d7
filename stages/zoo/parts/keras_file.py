"""Tensors of the .h5 weight files that Keras Applications publishes, read without trust.

A file lists its layers in the attribute `layer_names` of its root, each layer's group its tensors
in `weight_names`. HDF5 can do much that such a file does not need: point to other files, declare
sizes that are not there, compress. All of it is refused before it is read.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from stages.errors import StudyError

PLAIN = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)  # no chunks, so no compression, and not virtual

Layers = list[tuple[str, list[np.ndarray]]]  # a name and tensors each


def read_keras_file(path: Path) -> Layers:
    """Layers that have tensors, in their order in the file. Raises StudyError."""
    try:
        with h5py.File(path, "r") as file:
            room = _Room(path.stat().st_size)
            names = _texts(file, "layer_names", room)
            layers = [(name, _layer(file, name, room)) for name in names]
    except _RefusedError as error:
        raise StudyError(f"{path} is refused: {error}") from None
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise StudyError(f"{path} is not a weight file of Keras: {error}") from None
    return [(name, tensors) for name, tensors in layers if tensors]


class _RefusedError(Exception):
    """The file asks for what a list of tensors does not need."""


class _Room:
    """Bytes that may still be read: all tensors together are no larger than their file."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int, what: str) -> None:
        self.left -= size
        if self.left < 0:
            raise _RefusedError(f"{what} is declared larger than the file")


def _layer(file: h5py.File, name: str, room: _Room) -> list[np.ndarray]:
    group = _entered(file, name)
    if not isinstance(group, h5py.Group):
        raise _RefusedError(f"{name} is no group of tensors")
    return [_tensor(group, weight, room) for weight in _texts(group, "weight_names", room)]


def _texts(group: h5py.Group, name: str, room: _Room) -> list[str]:
    attribute = group.attrs.get_id(name)
    if attribute.shape == (0,):
        return []
    room.take(attribute.get_storage_size(), f"{name} of {group.name}")
    if len(attribute.shape) != 1 or attribute.dtype.kind not in "SO":
        raise _RefusedError(f"{name} of {group.name} is no list of names")
    texts = group.attrs[name]
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in texts]


def _entered(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """What a path leads to inside the file, links to elsewhere refused."""
    for part in name.split("/"):
        if not isinstance(group, h5py.Group):
            raise _RefusedError(f"{name} leads through a tensor")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise _RefusedError(f"{name} is a link")
        group = group[part]
    return group


def _tensor(group: h5py.Group, name: str, room: _Room) -> np.ndarray:
    dataset = _entered(group, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != np.float32:
        raise _RefusedError(f"{name} is no tensor of float32")
    plan = dataset.id.get_create_plist()
    if plan.get_layout() not in PLAIN or plan.get_external_count():
        raise _RefusedError(f"{name} is compressed, virtual or kept in another file")
    room.take(dataset.nbytes, name)
    if dataset.id.get_storage_size() != dataset.nbytes:
        raise _RefusedError(f"{name} was never written")
    return dataset[()]
