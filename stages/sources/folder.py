"""Pictures that are already there: a folder with one subfolder for each class, or with a list.

The list is `pictures.csv` in the folder itself: columns class and file, and what is known of a
picture beside it, named as in the manifest. A class may also be in shards, Cat.000.zip, as this
study keeps many pictures. The folder may be one in a bucket. Whatever is no picture is missed for a
reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.pictures.formats import FORMATS, NoPictureError, describe
from stages.runtime.progress import progress
from stages.sources import RESERVE, Missed, Picture, archives
from stages.sources.bucket import Bucket
from stages.sources.files import (
    LIST,
    File,
    Part,
    in_turn,
    is_hidden,
    is_of,
    is_shard_of,
    left_out,
    parts_of,
)
from stages.sources.listing import files_of
from stages.web.buckets import SCHEME

KNOWN = ("page_url", "title", "author", "licence", "licence_url")
MAX_BYTES = 500_000_000  # of one picture
LONGEST = 100  # letters of a name


class NotTakenError(Exception):
    """A file that is no picture of this folder; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pictures(
    classes: Mapping[str, Class], settings: Scrape, known: Collection[str] = ()
) -> Iterator[Picture | Missed]:
    """The files of each class by name, or in their list's order, their bytes as they are."""
    with _opened(settings) as place, progress("scrape", None, "picture") as advance:
        for class_name, wanted in classes.items():
            files = in_turn(place.parts(class_name))
            for item in _of_class(class_name, files, wanted.per_class + RESERVE, set(known)):
                advance(isinstance(item, Picture))
                yield item


def _opened(settings: Scrape) -> AbstractContextManager[Disk | Bucket]:
    if settings.folder.startswith(SCHEME):
        return Bucket(settings.folder, settings.download)
    return nullcontext(Disk(Path(settings.folder)))


def _of_class(
    class_name: str, files: Iterable[tuple[File, int]], wanted: int, seen: set[str]
) -> Iterator[Picture | Missed]:
    """Files up to so many different pictures, in their order; how many more there are."""
    taken: set[str] = set()
    different = 0
    for file, left in files:
        try:
            if file.reason:
                raise NotTakenError(file.reason)
            kind, _, _ = describe(file.data)
        except (NotTakenError, NoPictureError) as error:
            yield _missed(class_name, file.place, error.reason, file.count)
            continue
        digest = hashlib.sha256(file.data).hexdigest()
        different += digest not in seen
        seen.add(digest)
        yield Picture(
            class_name=class_name,
            name=_unique(file.place.rpartition("/")[2], kind, taken),
            data=file.data,
            source="folder",
            query="",
            image_url=file.known.get("image_url") or _origin(file.place),
            **{name: file.known.get(name, "") for name in KNOWN},
        )
        if different == wanted:
            if left:
                yield _missed(class_name, class_name, "not_needed", left)
            return


class Disk:
    """A folder of this machine; `parts` gives the files of a class."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            remedy = f"name its folder, and call the list {LIST}" if root.is_file() else "name one"
            raise StudyError(f"scrape.folder is {root}, which is no folder: {remedy}")
        self.root = root

    def parts(self, class_name: str) -> list[Part]:
        if (self.root / LIST).is_file():
            return [self._loose(class_name, self._listed(class_name))]
        within = sorted(self.root.iterdir())
        homes = (path for path in within if is_of(class_name, path.name) and path.is_dir())
        shards = [path for path in within if is_shard_of(class_name, path.name)]
        home = next(homes, None)
        loose = [self._loose(class_name, *_walked(home, class_name))] if home else []
        packed = [Part(1, partial(self._shard, path, class_name)) for path in shards]
        return parts_of(class_name, self.root, loose, packed)

    def _loose(self, class_name: str, paths: Mapping[Path, dict], hidden: int = 0) -> Part:
        first = left_out(class_name, hidden)
        files = (self._file(path, row) for path, row in paths.items())
        number = len(first) + len(paths)
        return Part(number, lambda: (number, chain(first, files)))

    def _file(self, path: Path, row: dict) -> File:
        place = path.relative_to(self.root).as_posix()
        try:
            return File(place, _content(path, self.root), known=row)
        except NotTakenError as error:
            return File(place, reason=error.reason)

    def _shard(self, path: Path, class_name: str) -> tuple[int, Iterator[File]]:
        try:
            place = _plain(path, self.root)
        except NotTakenError as error:
            return 1, iter([File(path.name, reason=error.reason)])
        return archives.members(place, path.name, class_name, MAX_BYTES)

    def _listed(self, class_name: str) -> dict[Path, dict]:
        """The files that the list names, seen from its own folder, each once."""
        root, list_ = self.root, self.root / LIST
        rows = files_of(list_, class_name)
        for name in rows:
            if not (root / name).is_file():
                raise StudyError(f"{list_} lists {name}, which is no file beside it or below")
            if not (root / name).resolve().is_relative_to(root.resolve()):
                raise StudyError(
                    f"{list_} lists {name}, which is outside {root}: copy the file there"
                )
        return {root / name: row for name, row in rows.items()}


def _walked(home: Path, class_name: str) -> tuple[dict[Path, dict], int]:
    """All files of a class's folder and the folders in it, sorted; how many hidden ones beside."""
    found, hidden = [], 0
    for folder, below, files in os.walk(home):
        inside = [name for name in below if not is_hidden(name)]
        links = [name for name in inside if Path(folder, name).is_symlink()]  # they may go round
        shown = [*links, *(name for name in files if not is_hidden(name))]
        hidden += len(below) + len(files) - len(inside) - len(shown) + len(links)
        below[:] = inside
        found += [Path(folder, name) for name in shown]
    if not found:
        raise StudyError(f"{home} has no files: class {class_name} needs some")
    return {path: {} for path in sorted(found)}, hidden


def _content(path: Path, root: Path) -> bytes:
    """A file's bytes. Raises NotTakenError for what is no plain file of this folder."""
    place = _plain(path, root)
    if place.stat().st_size > MAX_BYTES:
        raise NotTakenError("too_large")
    try:
        return place.read_bytes()
    except PermissionError:
        raise NotTakenError("unreadable") from None


def _plain(path: Path, root: Path) -> Path:
    """Where a file is, links followed. Raises NotTakenError for what is none of this folder."""
    try:
        place = path.resolve(strict=True)
    except PermissionError:
        raise NotTakenError("unreadable") from None
    except (FileNotFoundError, RuntimeError):  # the latter, and an OSError: links in a circle
        raise NotTakenError("broken_link") from None
    if not place.is_relative_to(root.resolve()):
        raise NotTakenError("link_outside")
    if place.is_dir():
        raise NotTakenError("link_to_folder")
    if not place.is_file():  # a pipe would never end
        raise NotTakenError("not_a_file")
    return place


def _missed(class_name: str, place: str, reason: str, files: int) -> Missed:
    facts = dict.fromkeys(("query", *KNOWN), "")
    origin = _origin(place)
    return Missed(class_name, "folder", image_url=origin, reason=reason, files=files, **facts)


def _origin(place: str) -> str:
    """The file within the folder; bytes of its name that are no UTF-8 as %E9."""
    return "folder:" + re.sub(
        "[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", place
    )


def _unique(name: str, kind: str, taken: set[str]) -> str:
    """The name in plain letters, with a suffix of its format, numbered where two become one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    stem, dot, suffix = plain.rpartition(".")
    if f".{suffix.lower()}" not in FORMATS[kind].suffixes:
        stem, dot, suffix = plain, ".", FORMATS[kind].suffixes[0][1:]
    stem = stem[:LONGEST]
    plain, number = f"{stem}{dot}{suffix}", 1
    # Without case: on some disks A.png and a.png are one file.
    while plain.lower() in taken:
        number += 1
        plain = f"{stem}-{number}{dot}{suffix}"
    taken.add(plain.lower())
    return plain
