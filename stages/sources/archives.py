"""Pictures in zip files from anyone, as pictures/shards.py writes them: Cat.000.zip has Cat/a.png.

An archive may lie about all that it says. Its list is read up to a length, a member up to the size
that a picture may have; whatever cannot be taken is a file with a reason. Nothing is unpacked to a
disk, so a name leads nowhere.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from stages.sources.files import File, is_hidden, is_of, left_out

MAX_LIST = 4 << 20  # bytes: of an archive's list of members, and of one read
MAX_MEMBERS = 10_000  # ten times what this study puts into one
UNPACKED = 1_000_000_000  # bytes of all members that no one calls a bomb,
RATIO = 100  # and how many times the archive's own size
PIECE = 1 << 20  # bytes
COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory
ENCRYPTED = 0x1 | 0x40  # flags


class _Bounded(io.FileIO):
    """A file of which no one reads much at once: the list's length is the archive's own word."""

    def read(self, size: int = -1) -> bytes:
        data = super().read(MAX_LIST + 1 if size < 0 else min(size, MAX_LIST + 1))
        if len(data) > MAX_LIST:
            raise zipfile.BadZipFile("it wants too much to be read at once")
        return data


def members(archive: Path, place: str, class_name: str, limit: int) -> tuple[int, Iterator[File]]:
    """How many files an archive has, and each, by name; `limit` is in bytes, of one.

    An archive that cannot be used is one file, and so are all hidden ones together.
    """
    try:
        with _opened(archive) as opened:
            listed = [one for one in opened.infolist() if not one.orig_filename.endswith("/")]
    except Exception:  # on bytes of anyone zipfile raises anything
        return 1, iter([File(place, reason="damaged")])
    unpacked = sum(member.file_size for member in listed)
    if len(listed) > MAX_MEMBERS or unpacked > max(UNPACKED, RATIO * archive.stat().st_size):
        return 1, iter([File(place, reason="zip_bomb")])
    listed.sort(key=lambda member: member.filename.split("/"))
    judged = [(member, _reason(member, class_name, limit)) for member in listed]
    shown = [(member, reason) for member, reason in judged if reason != "hidden"]
    first = left_out(place, len(judged) - len(shown))
    return len(first) + len(shown), chain(first, _read(archive, place, shown))


def _read(
    archive: Path, place: str, judged: Sequence[tuple[zipfile.ZipInfo, str]]
) -> Iterator[File]:
    with _opened(archive) as opened:
        for member, reason in judged:
            data = b""
            if not reason:
                try:
                    with opened.open(member) as content:
                        data = b"".join(iter(partial(content.read, PIECE), b""))
                except Exception:  # as above; what is longer than announced has another checksum
                    reason = "damaged"
            yield File(f"{place}/{member.filename}", data, reason)


def _reason(member: zipfile.ZipInfo, class_name: str, limit: int) -> str:
    """Why a member is not to be read; nothing where it is."""
    name, parts = member.orig_filename, member.filename.split("/")
    if "\0" in name or "\\" in name or {"", ".", ".."} & set(parts):
        return "outside"
    if any(map(is_hidden, parts)):
        return "hidden"
    if len(parts) < 2 or not is_of(class_name, parts[0]):
        return "other_class"
    if member.flag_bits & ENCRYPTED:
        return "encrypted"
    if member.compress_type not in COMPRESSION:
        return "unknown_compression"
    return "too_large" if member.file_size > limit else ""


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    with _Bounded(archive) as file, zipfile.ZipFile(file) as opened:
        yield opened
