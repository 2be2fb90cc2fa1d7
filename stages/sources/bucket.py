"""A folder of pictures in a bucket, s3://bucket/prefix, where `folder` has one on a disk.

Objects are listed into a table and fetched side by side, but given in the order of their names, as
from a disk. What was fetched stays in the store under the object's ETag: a scrape that was killed
goes on from there.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from sqlite3 import Connection

from stages.errors import StudyError
from stages.params import Download
from stages.pictures.shards import PER_SHARD
from stages.runtime import user_cache
from stages.sources import archives, scratch
from stages.sources.files import (
    LIST,
    SHARD,
    File,
    Part,
    is_hidden,
    is_of,
    is_shard_of,
    left_out,
    parts_of,
)
from stages.sources.listing import files_of
from stages.sources.store import Entry, Store
from stages.web import buckets
from stages.web.buckets import Object
from stages.web.refusals import Refusal

OBJECTS = "CREATE TABLE objects (place PRIMARY KEY, key, size, etag) WITHOUT ROWID"
IN_ORDER = "SELECT key, size, etag FROM objects ORDER BY place"
COUNT = "SELECT count(*) AS n FROM objects"
FIND = "SELECT key, size, etag FROM objects WHERE place = ?"


class Bucket:
    """Where the pictures are; `parts` gives those of a class."""

    def __init__(self, address: str, settings: Download) -> None:
        self._address = address
        self._remote = buckets.Bucket(address, settings)
        self._store = Store(user_cache.folder() / "pictures")
        self._limit = settings.max_megabytes * 1_000_000
        self._connections = min(settings.connections, settings.connections_per_host)
        self._threads = ThreadPoolExecutor(self._connections)

    def __enter__(self) -> Bucket:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)  # first: they use the other two
        self._remote.close()
        self._store.close()

    def parts(self, class_name: str) -> list[Part]:
        folders, files = self._top
        if LIST in files:
            return [self._listed(class_name, files[LIST])]
        home = next((name for name in folders if is_of(class_name, name[:-1])), "")
        shards = [files[name] for name in sorted(files) if is_shard_of(class_name, name)]
        loose = [self._walked(class_name, home)] if home else []
        packed = [Part(1, partial(self._shard, shard, class_name)) for shard in shards]
        return parts_of(class_name, self._address, loose, packed)

    @cached_property
    def _top(self) -> tuple[list[str], dict[str, Object]]:
        """The folders in the bucket's own, and of its files those that may be of use."""
        folders, files = [], {}
        for found in self._remote.objects(deep=False):
            if found.key.endswith("/"):
                folders.append(found.key)
            elif found.key == LIST or SHARD.fullmatch(found.key):
                files[found.key] = found
        return folders, files

    def _walked(self, class_name: str, home: str) -> Part:
        """All objects of a class's folder and the folders in it, but hidden ones."""
        table, hidden = scratch.database(OBJECTS), 0
        for found in self._remote.objects(home):
            if any(map(is_hidden, found.key.split("/")[1:])):
                hidden += 1
            elif not found.key.endswith("/"):  # a mark that there is a folder
                _insert(table, found)
        number = table.execute(COUNT).fetchone()["n"]
        if not number:
            raise StudyError(f"{self._address}/{home} has no files: class {class_name} needs some")
        first = left_out(class_name, hidden)
        objects = (Object(**row) for row in table.execute(IN_ORDER))
        files = chain(first, self._loose((found, {}) for found in objects))
        number += len(first)
        return Part(number, lambda: (number, files))

    def _listed(self, class_name: str, listing: Object) -> Part:
        """The objects that the list names, seen from its own place, each once."""
        list_ = f"{self._address}/{LIST}"
        try:
            copy = self._fetched(listing, self._limit * PER_SHARD)
        except Refusal as refusal:
            raise StudyError(f"{list_} is not to be had ({refusal.reason})") from None
        found = []
        for name, row in files_of(copy, class_name, list_).items():
            key = posixpath.normpath(name)
            if key.startswith(("../", "/")):
                raise StudyError(f"{list_} lists {name}, which is outside: copy the file there")
            place = self._all.execute(FIND, (_place(key),)).fetchone()
            if place is None:
                raise StudyError(f"{list_} lists {name}, which is no file beside it or below")
            found.append((Object(**place), row))
        return Part(len(found), lambda: (len(found), self._loose(found)))

    @cached_property
    def _all(self) -> Connection:
        """Every object: one list names files of all folders."""
        table = scratch.database(OBJECTS)
        for found in self._remote.objects():
            _insert(table, found)
        return table

    def _loose(self, objects: Iterable[tuple[Object, Mapping[str, str]]]) -> Iterator[File]:
        """Objects as files; the next ones are fetched while one is looked at."""
        coming: deque[tuple[Object, Mapping[str, str], Future]] = deque()
        for found, known in objects:
            fetched = self._threads.submit(self._fetched, found, self._limit)
            coming.append((found, known, fetched))
            if len(coming) == self._connections:
                yield _file(*coming.popleft())
        yield from (_file(*one) for one in coming)

    def _shard(self, shard: Object, class_name: str) -> tuple[int, Iterator[File]]:
        try:
            copy = self._fetched(shard, self._limit * PER_SHARD)
        except Refusal as refusal:
            return 1, iter([File(shard.key, reason=refusal.reason)])
        return archives.members(copy, shard.key, class_name, self._limit)

    def _fetched(self, wanted: Object, limit: int) -> Path:
        """The file of the store that has an object's bytes. Raises Refusal."""
        if wanted.size > limit:
            raise Refusal("too_large", f"it has {wanted.size} bytes", wanted.key)
        name = f"s3:{self._remote.url(wanted.key)}#{wanted.etag}"
        entry = self._store.find(name)
        if entry is None:
            with self._store.part() as part:
                with part.open("wb") as file:
                    self._remote.fetch(wanted, file)
                entry = Entry(name, sha256=user_cache.digest(part), bytes=wanted.size)
                self._store.adopt(entry, part)
        return self._store.path(entry.sha256)


def _file(found: Object, known: Mapping[str, str], coming: Future) -> File:
    try:
        return File(found.key, coming.result().read_bytes(), known=known)
    except Refusal as refusal:
        return File(found.key, reason=refusal.reason)


def _insert(table: Connection, found: Object) -> None:
    scratch.insert(table, "objects", {"place": _place(found.key), **asdict(found)})


def _place(key: str) -> bytes:
    """By which objects come in the order that `Path` gives files: folder by folder."""
    return key.replace("/", "\0").encode("utf-8", "surrogatepass")
