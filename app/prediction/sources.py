"""Where pictures to classify are: files, folders, patterns, URLs, standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.pictures.formats import FORMATS

STDIN = "-"
SCHEMES = ("http://", "https://")
MAX_BYTES = 50_000_000  # of one picture
ENDINGS = frozenset(ending for kind in FORMATS.values() for ending in kind.suffixes)


@dataclass(frozen=True)
class Source:
    """One picture by name, read when it is its turn: of standard input alone the bytes are here."""

    name: str
    data: bytes | None = None

    def read(self) -> bytes:
        """The file's bytes, or the URL's. Raises UnreadableError."""
        if self.data is not None:
            return _limited(self.data)
        if self.name.startswith(SCHEMES):
            return _fetched(self.name)
        try:
            with Path(self.name).open("rb") as file:
                return _limited(file.read(MAX_BYTES + 1))
        except OSError as error:
            raise UnreadableError((error.strerror or "cannot be read").lower()) from None


class UnreadableError(Exception):
    """Why a picture cannot be read, short enough for a table."""


def found(places: Iterable[str]) -> Iterator[Source]:
    """Every picture that the places name: in a folder, and below it, what ends as pictures do.

    A name with *, ? or [ that is no file is a pattern, ** for any folders. What is not there is
    given as well, to be missed by name.
    """
    for place in places:
        if place == STDIN:
            yield Source("standard input", sys.stdin.buffer.read(MAX_BYTES + 1))
        elif place.startswith(SCHEMES):
            yield Source(place)
        elif Path(place).is_dir():
            yield from _below(Path(place))
        elif not Path(place).exists() and glob.has_magic(place):
            matches = sorted(glob.glob(place, recursive=True))
            yield from (Source(match) for match in matches or [place] if not Path(match).is_dir())
        else:
            yield Source(place)


def _below(folder: Path) -> Iterator[Source]:
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in ENDINGS and file.is_file():
            yield Source(str(file))


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1_000_000} MB")
    return data


def _fetched(url: str) -> bytes:
    # Here, not above: whoever has files alone needs none of it.
    from stages.web.refusals import Refusal, status_line

    try:
        answer = _client().get(url)
    except Refusal as refusal:
        raise UnreadableError(refusal.what) from None
    if answer.status != 200:
        raise UnreadableError(f"the server answers {status_line(answer.status)}")
    return answer.body


@cache
def _client() -> object:
    from stages.params import load
    from stages.web.client import Client

    return Client(load("scrape.download").scrape.download)
