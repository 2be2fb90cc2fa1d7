"""The pictures of data/raw and data/rgb: loose in class folders, and in shards where they are many.

DVC looks at every file of a folder, again for each stage that reads the folder. Above LOOSE
pictures they are in zip files, uncompressed, of at most PER_SHARD of one class: Cat.000.zip holds
Cat/a.png and so on, and unpacked gives the class folder back. docs/decisions.md has the figures.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

LOOSE = 10_000
PER_SHARD = 1000
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every entry: the same pictures give the same bytes


def pack(folder: Path) -> None:
    """Put the pictures of the class folders into shards if they are more than LOOSE."""
    homes = sorted(path for path in folder.glob("*") if path.is_dir())
    if sum(1 for home in homes for _ in _names(home)) <= LOOSE:
        return
    for home in homes:
        names = sorted(_names(home))
        for number, start in enumerate(range(0, len(names), PER_SHARD)):
            shard = folder / f"{home.name}.{number:03}.zip"  # a class's name has no dot
            _pack(shard, [home / name for name in names[start : start + PER_SHARD]])
        if not any(home.iterdir()):
            home.rmdir()


def listing(folder: Path) -> set[str]:
    """The names of all pictures there, as `Cat/a.png`."""
    loose = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    return loose | _index(folder).keys()


def read(folder: Path, file: str) -> bytes:
    """The bytes of a picture. Raises OSError, as a file would."""
    shard = _index(folder).get(file)
    return _opened(shard).read(file) if shard else (folder / file).read_bytes()


def _names(home: Path) -> Iterator[str]:
    """The files of a folder, one after another: `Path.iterdir` would hold them all."""
    with os.scandir(home) as entries:
        yield from (entry.name for entry in entries if entry.is_file())


def _pack(shard: Path, files: Sequence[Path]) -> None:
    draft = shard.with_name(f".{shard.name}.part")
    with zipfile.ZipFile(draft, "w") as archive:
        for path in files:
            name = path.relative_to(shard.parent).as_posix()
            archive.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes())
    os.replace(draft, shard)
    for path in files:
        path.unlink()


def _index(folder: Path) -> dict[str, Path]:
    """In which shard each picture is; read again when the folder's entries change."""
    folder = folder.absolute()
    return _read_index(folder, folder.stat().st_mtime_ns if folder.exists() else 0)


@lru_cache(maxsize=4)
def _read_index(folder: Path, _changed: int) -> dict[str, Path]:
    _opened.cache_clear()
    return {
        name: shard
        for shard in sorted(folder.glob("*.zip"))
        for name in zipfile.ZipFile(shard).namelist()
    }


@lru_cache(maxsize=64)  # open files are limited, often to 1,024
def _opened(shard: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(shard)
