"""Files of a project on their way to a node that shares no disk with it, and back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def packed(folder: Path, paths: Iterable[str], others: Mapping[str, bytes] | None = None) -> bytes:
    """A tar archive of files and folders, by their paths in `folder`, and of other contents."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path in paths:
            archive.add(folder / path, path, filter=_without_bytecode)
        for path, data in (others or {}).items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Raises tarfile.FilterError for an entry that would lie outside of the folder."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


def _without_bytecode(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(entry.name).name == "__pycache__" else entry
