"""Downloaded pictures, kept by their hash in the user's cache, and a journal of what was asked.

DVC empties a stage's outputs before it runs. What lies here survives that, and a kill: a scrape
that is started again takes from here what is here. A line of the journal is written after its
picture is in place; a line cut short is no line; and a picture is hashed whenever it is used, so
that what a crash of the machine left half-written is fetched again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stages.runtime import user_cache
from stages.sources import scratch

PART_AGE = 24 * 3600  # seconds after which what a killed run was writing is no one's
FIND = "SELECT offset FROM places WHERE key = ?"
PLACE = "REPLACE INTO places VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a URL: a picture (`sha256`) or none (`reason`), and under which rules."""

    url: str
    sha256: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    reason: str = ""
    robots: bool = False  # robots.txt was asked
    opted_out: bool = False  # its headers keep it from training


class Store:
    """Shared by threads, and by processes: each line is one write at the journal's end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / "parts"
        self._parts.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._places = scratch.database(
            "CREATE TABLE places (key PRIMARY KEY, offset) WITHOUT ROWID"
        )
        self._journal = (folder / "journal.jsonl").open("a+b", buffering=0)
        self._clean()
        self._index()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._places.close()
        self._journal.close()

    def path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def find(self, url: str) -> Entry | None:
        """What is known of a URL; None where nothing is, or its picture is gone or damaged."""
        with self._lock:
            place = self._places.execute(FIND, (_key(url),)).fetchone()
            line = self._line(place["offset"]) if place else b""
        entry = _entry(line)
        if entry is None or entry.url != url:
            return None
        return entry if entry.reason or self._sound(entry.sha256) else None

    def keep(self, entry: Entry, data: bytes) -> Entry:
        """Put a picture's bytes in place, whole or not at all, then its line in the journal."""
        with self.part() as part:
            part.write_bytes(data)
            return self.adopt(entry, part)

    @contextmanager
    def part(self) -> Iterator[Path]:
        """An empty file to write to, which is gone afterwards unless it was adopted."""
        handle, name = tempfile.mkstemp(dir=self._parts)
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def adopt(self, entry: Entry, part: Path) -> Entry:
        """As `keep`, of a part whose bytes are those of the entry."""
        path = self.path(entry.sha256)
        if not self._sound(entry.sha256):
            path.parent.mkdir(exist_ok=True)
            os.replace(part, path)
        return self.note(entry)

    def note(self, entry: Entry) -> Entry:
        facts = {name: value for name, value in asdict(entry).items() if value}
        line = json.dumps(facts).encode() + b"\n"
        with self._lock:
            self._journal.write(line)
            self._places.execute(PLACE, (_key(entry.url), self._journal.tell() - len(line)))
        return entry

    def _line(self, place: int) -> bytes:
        self._journal.seek(place)
        pieces = []
        while piece := self._journal.read(4096):
            before, end, _ = piece.partition(b"\n")
            pieces.append(before)
            if end:
                break
        return b"".join(pieces)

    def _sound(self, sha256: str) -> bool:
        try:
            return user_cache.digest(self.path(sha256)) == sha256
        except OSError:
            return False

    def _index(self) -> None:
        self._journal.seek(0)
        place, line = 0, b"\n"
        with os.fdopen(os.dup(self._journal.fileno()), "rb") as file:
            for line in file:
                if entry := _entry(line):
                    self._places.execute(PLACE, (_key(entry.url), place))
                place += len(line)
        if not line.endswith(b"\n"):  # a killed run's last: the next one begins on its own
            self._journal.write(b"\n")

    def _clean(self) -> None:
        for part in self._parts.iterdir():
            try:
                if part.stat().st_mtime < time.time() - PART_AGE:
                    part.unlink()
            except FileNotFoundError:  # another process was faster
                continue


_FIELDS = {field.name: type(field.default) for field in fields(Entry)} | {"url": str}


def _entry(line: bytes) -> Entry | None:
    """A line of the journal; None where it is not a whole one."""
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    if not isinstance(facts, dict) or not facts.get("url"):
        return None
    if not all(type(value) is _FIELDS.get(name) for name, value in facts.items()):
        return None
    return Entry(**facts) if "sha256" in facts or "reason" in facts else None


def _key(url: str) -> bytes:
    return hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).digest()
