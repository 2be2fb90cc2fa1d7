"""One large file: fetched by the client as everything is, resumed where a try broke off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import filelock
from urllib3 import HTTPHeaderDict

from stages.runtime.progress import progress
from stages.web.client import Client
from stages.web.refusals import Refusal, status_line

BROKEN = {"connection", "time_out", "too_slow"}  # reasons that leave a part to go on from


def download(client: Client, url: str, file: Path) -> None:
    """Fetch a URL to a file, which is there as a whole or not at all. Raises Refusal.

    What a broken try leaves lies beside the file, and the next one appends to it, also that of
    another process, as far as the server says that it still has the same.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # Two studies of one user would write into each other.
    with filelock.FileLock(file.with_name(f".{file.name}.lock")):
        if not file.is_file():
            part = _Part(url, file.with_name(f".{file.name}.part"))
            _fetch(client, url, part)
            os.replace(part.path, file)
            part.mark.unlink(missing_ok=True)


def _fetch(client: Client, url: str, part: _Part) -> None:
    def stay_encrypted(place: str) -> None:
        if url.startswith("https:") and not place.startswith("https:"):
            raise Refusal("not_encrypted", f"it leads to {place}, which is not encrypted", url)

    try:
        answer = client.get(url, permit=stay_encrypted, into=part)
        if answer.status == 416:  # what we have is not of this file
            part.path.unlink(missing_ok=True)
            answer = client.get(url, permit=stay_encrypted, into=part)
    except Refusal as refusal:
        so_far = part.so_far() if refusal.reason in BROKEN else ""
        raise Refusal(refusal.reason, f"{refusal.what}{so_far}", url) from None
    if answer.status not in (200, 206):
        through = f" through the proxy {answer.proxy}" if answer.proxy else ""
        raise Refusal(f"http_{answer.status}", f"{status_line(answer.status)}{through}", url)


class _Part:
    """The receiver of a file: the bytes so far, and beside them what they are of."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path, self.mark = url, path, path.with_suffix(".mark")
        self._total: int | None = None

    def headers(self) -> Mapping[str, str]:
        start, version = self._left()
        resume = {"Range": f"bytes={start}-", "If-Range": version} if start else {}
        return {"Accept-Encoding": "identity", **resume}

    def take(
        self, status: int, headers: HTTPHeaderDict, pieces: Callable[[int], Iterator[bytes]]
    ) -> bytes:
        """Append to what is there, or begin anew. Raises Refusal where it is another part."""
        if status not in (200, 206):
            return b""
        start = self._left()[0] if status == 206 else 0
        if status == 206 and not headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise Refusal("bad_answer", "the server sent another part than the one asked for")
        length = headers.get("Content-Length", "")
        self._total = start + int(length) if length.isdecimal() else None
        mode, name = "ab" if start else "wb", self.path.name[1:-5]
        with self.path.open(mode) as out, progress(name, self._total, "B", start) as advance:
            self.mark.write_text(f"{self.url}\n{_version(headers)}", encoding="utf-8")
            for piece in pieces(start):
                out.write(piece)
                advance(len(piece))
        return b""

    def so_far(self) -> str:
        """How far the last try came; nothing where it did not begin."""
        if self._total is None:
            return ""
        return f"; it broke off after {self.path.stat().st_size:,} of {self._total:,} bytes"

    def _left(self) -> tuple[int, str]:
        """Bytes of an earlier try, and the version they are of; none where that is not known."""
        try:
            came_from, _, version = self.mark.read_text(encoding="utf-8").partition("\n")
            size = self.path.stat().st_size
        except FileNotFoundError:
            return 0, ""
        return (size, version) if came_from == self.url and version else (0, "")


def _version(headers: HTTPHeaderDict) -> str:
    """What tells one content of a URL from another: a strong ETag, else the time of change.

    Nothing for what came packed though it was not to: bytes on disk are not those of the server.
    """
    if headers.get("Content-Encoding", "identity") != "identity":
        return ""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")
