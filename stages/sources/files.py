"""The files of a class in a user's own folder, on a disk or in a bucket, one after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from stages.errors import StudyError

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


def parts_of(class_name: str, where: object, loose: list[Part], shards: list[Part]) -> list[Part]:
    """The parts of a class that is kept in a folder, in shards or both: in this order.

    Raises StudyError where there is neither.
    """
    if not loose and not shards:
        raise StudyError(
            f"{where} has no folder {class_name}: scrape.folder needs one for every class, "
            f"or shards of it ({class_name}.000.zip), or a list of all files, {LIST}"
        )
    return loose + shards


def left_out(place: str, hidden: int) -> list[File]:
    """What stands for so many hidden files: one, or none."""
    return [File(place, reason="hidden", count=hidden)] if hidden else []


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
