"""Tensors of an .npz file, read without trust: no pickle, no bomb, no more than it holds.

Such a file is a zip archive of .npy files, one a tensor.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from stages.errors import StudyError

PACKED = 4  # times: trained weights hardly compress, what grows more is a bomb
KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
DAMAGE = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error, SyntaxError)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name, float32. Raises StudyError for any other content."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_room(path, members)
            found = {member.filename: _tensor(archive, member) for member in members}
    except _RefusedError as error:
        raise StudyError(f"{path} is refused: {error}") from None
    except (*DAMAGE, NotImplementedError, MemoryError, RuntimeError) as error:
        raise StudyError(f"{path} is damaged or no .npz file: {error}") from None
    if len(found) < len(members):
        raise StudyError(f"{path} is refused: it has two tensors of one name")
    return {name.removesuffix(".npy"): tensor for name, tensor in found.items()}


class _RefusedError(Exception):
    """The file asks for what a dictionary of tensors does not need."""


def _require_room(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if any(member.compress_type not in KINDS or member.flag_bits & 1 for member in members):
        raise _RefusedError("it is encrypted or packed in an unusual way")
    unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > PACKED * packed:
        raise _RefusedError(f"{packed:,} bytes unpack to {unpacked:,}, which no weights do")


def _tensor(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{member.filename} is of version {version}")
        shape, fortran, dtype = HEADERS[version](file)
        if dtype != np.dtype("<f4"):
            kind = "pickled objects" if dtype.hasobject else dtype
            raise _RefusedError(f"{member.filename} holds {kind}, not float32")
        size = math.prod(shape) * dtype.itemsize
        if any(length < 0 for length in shape) or file.tell() + size != member.file_size:
            raise _RefusedError(f"{member.filename} of shape {shape} has another size")
        numbers = np.frombuffer(file.read(), dtype)
    return numbers.reshape(shape[::-1]).T if fortran else numbers.reshape(shape)
