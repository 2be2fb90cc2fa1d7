"""Tensors of a file that torch.save wrote before torch 1.6, without torch and without trust.

Such a file is a row of pickles (magic number, protocol, machine, tensors by name, storage keys),
then the bytes of each storage. A pickle can call anything, so this one may call nothing but what
a dictionary of tensors needs.
"""

from __future__ import annotations

import math
import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO, ClassVar, NamedTuple

import numpy as np

from stages.errors import StudyError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"FloatStorage": "<f4", "LongStorage": "<i8"}  # NumPy's names, in a type no pickle changes
# What a damaged stream makes the unpickler raise, says Python's manual, and what we saw it raise.
DAMAGE = (
    pickle.UnpicklingError, EOFError, AttributeError, ImportError, LookupError, TypeError,
    ValueError, OverflowError, MemoryError, RecursionError, AssertionError, struct.error,
)  # fmt: skip


class _Storage(NamedTuple):
    key: str
    kind: str
    length: int


class _View(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name, contiguous. Raises StudyError for any other content."""
    try:
        with path.open("rb") as file:
            views = _header(file)
            storages = _storages(file, [view.storage for view in views.values()])
            return {name: _tensor(view, storages) for name, view in views.items()}
    except DAMAGE as error:
        raise StudyError(f"{path} is not a torch file of the old kind: {error!r}") from None
    except _RefusedError as error:
        raise StudyError(f"{path} is refused: {error}") from None


class _RefusedError(Exception):
    """The file asks for what a dictionary of tensors does not need."""


class _Unpickler(pickle._Unpickler):
    """Knows four names; everything else is refused before it is looked up.

    It is Python's own in Python, with what protocol 2 has: the one in C fills memory up to any
    index that a pickle names, and protocol 5 fills as many bytes as it names.
    """

    dispatch: ClassVar = {
        ord(opcode.code): pickle._Unpickler.dispatch[ord(opcode.code)]
        for opcode in pickletools.opcodes
        if opcode.proto <= 2
    }

    def find_class(self, module: str, name: str) -> object:
        if module == "torch" and name in KINDS:
            return KINDS[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # Made anew for each file: a pickle can set attributes of what it is given.
            return lambda storage, offset, shape, strides, *_: _View(
                storage, offset, shape, strides
            )
        raise _RefusedError(f"it asks for {module}.{name}")

    def persistent_load(self, identity: object) -> _Storage:
        tag, kind, key, _device, length, part = identity
        if tag != "storage" or kind not in KINDS.values() or part is not None:
            raise _RefusedError(f"it holds a {tag} that is no plain storage")
        return _Storage(str(key), kind, int(length))


def _header(file: BinaryIO) -> dict[str, _View]:
    magic, protocol, machine, views = (_Unpickler(file).load() for _ in range(4))
    if (magic, protocol) != (MAGIC, PROTOCOL) or machine.get("little_endian") is not True:
        raise ValueError("another magic number, protocol or byte order")
    if not all(isinstance(n, str) and isinstance(view, _View) for n, view in views.items()):
        raise _RefusedError("it holds more than tensors")
    return dict(views)


def _storages(file: BinaryIO, wanted: list[_Storage]) -> dict[str, np.ndarray]:
    """The bytes of all storages; the file holds these and nothing more."""
    known = {storage.key: storage for storage in wanted}
    keys = _Unpickler(file).load()
    if sorted(keys) != sorted(known):
        raise ValueError("its list of storages is not the one its tensors use")
    storages = {key: _numbers(file, known[key]) for key in keys}
    if file.read(1):
        raise ValueError("bytes after the last storage")
    return storages


def _numbers(file: BinaryIO, storage: _Storage) -> np.ndarray:
    length = int.from_bytes(file.read(8), "little", signed=True)
    size = length * np.dtype(storage.kind).itemsize
    left = os.fstat(file.fileno()).st_size - file.tell()
    if length != storage.length or not 0 <= size <= left:
        raise ValueError(f"storage {storage.key} is cut off or has another length")
    return np.frombuffer(file.read(size), storage.kind)


def _tensor(view: _View, storages: dict[str, np.ndarray]) -> np.ndarray:
    """One tensor, its strides honoured: these files keep TensorFlow's order of axes in memory."""
    numbers = storages[view.storage.key]
    sizes = (view.offset, *view.shape, *view.strides)
    if len(view.shape) != len(view.strides) or not all(type(n) is int and n >= 0 for n in sizes):
        raise ValueError(f"a tensor of shape {view.shape} with strides {view.strides}")
    last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True))
    if math.prod(view.shape) > numbers.size or 0 in view.shape or last >= numbers.size:
        raise ValueError(f"a tensor of shape {view.shape} outside its storage")
    steps = [stride * numbers.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, steps).copy()
