"""The files of a class in a user's own folder, on a disk or in a bucket, one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

LIST = "pictures.csv"
SHARD = re.compile(r"([^./]+)\.\d+\.zip")  # as pictures/shards.py names them
SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}  # as are hidden files


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes, or in one word the `reason` why it is not taken, with `count` like it.

    `place` is where it is in the folder, for a member of a shard Cat.000.zip/Cat/a.png; `known` is
    what the user's list says of it.
    """

    place: str
    data: bytes = b""
    reason: str = ""
    count: int = 1
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Files that are looked at together: `open` says how many they are and reads one by one.

    `count` is what they count for before that: a shard that nobody opens is one file.
    """

    count: int
    open: Callable[[], tuple[int, Iterator[File]]]


def in_turn(parts: Sequence[Part]) -> Iterator[tuple[File, int]]:
    """Each file, and how many come after it. A part is opened when those before it are used up."""
    later = sum(part.count for part in parts)
    for part in parts:
        later -= part.count
        count, files = part.open()
        for number, file in enumerate(files, 1):
            yield file, later + count - number


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def is_of(class_name: str, name: str) -> bool:
    """Whether a folder's name is that of a class: macOS writes an accent as a mark of its own."""
    return normalize("NFC", name) == class_name


def is_shard_of(class_name: str, name: str) -> bool:
    shard = SHARD.fullmatch(name)
    return shard is not None and is_of(class_name, shard[1])
