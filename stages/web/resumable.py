"""One large file over HTTP: bounded, with a progress bar, resumed where a try broke off."""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from stages.runtime.progress import progress

WAITS = (1, 2, 4)  # seconds before another try
TIMEOUT = 30  # seconds without a byte
LARGEST = 4 << 30  # bytes
BLOCK = 1 << 20


class DownloadError(Exception):
    """Why a URL could not be had."""


def download(url: str, file: Path) -> None:
    """Fetch a URL to a file, which is there as a whole or not at all. Raises DownloadError.

    What a broken try leaves lies beside the file, and the next one appends to it, also that of
    another process, as far as the server says that it still has the same.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two studies of one user would write into each other
        if not file.is_file():
            _with_patience(url, part)
            os.replace(part, file)
            _mark(part).unlink(missing_ok=True)


def _with_patience(url: str, part: Path) -> None:
    for wait in (*WAITS, None):
        try:
            return _fetch(url, part)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # what we have is not of this file
                part.unlink()
            elif error.code < 500:
                raise DownloadError(f"{error.code} {error.reason}") from None
            reason = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if wait is None:
            raise DownloadError(reason)
        time.sleep(wait)
    return None


def _fetch(url: str, part: Path) -> None:
    """Append to what is there, or begin anew. Raises OSError where the file does not end."""
    start, version = _left(url, part)
    headers = {"User-Agent": "ViToon", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310, params.py and the zoo say http
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        if answer.status != 206:
            start = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise DownloadError("the server sent another part than the one asked for")
        if url.startswith("https:") and not answer.url.startswith("https:"):
            raise DownloadError(f"it leads to {answer.url}, which is not encrypted")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        _mark(part).write_text(f"{url}\n{_version(answer.headers)}", encoding="utf-8")
        _append(answer, part, start, total)
    if total is not None and part.stat().st_size != total:
        raise OSError(f"it broke off after {part.stat().st_size:,} of {total:,} bytes")


def _append(answer: http.client.HTTPResponse, part: Path, start: int, total: int | None) -> None:
    mode, name = "ab" if start else "wb", part.name[1:-5]
    with part.open(mode) as out, progress(name, total, "B", start) as advance:
        while block := answer.read(BLOCK):
            out.write(block)
            advance(len(block))
            if out.tell() > LARGEST:
                raise DownloadError(f"it is larger than {LARGEST:,} bytes")


def _left(url: str, part: Path) -> tuple[int, str]:
    """Bytes of an earlier try, and the version they are of; none where that cannot be said."""
    try:
        came_from, _, version = _mark(part).read_text(encoding="utf-8").partition("\n")
        return (part.stat().st_size, version) if came_from == url and version else (0, "")
    except FileNotFoundError:
        return 0, ""


def _version(headers: http.client.HTTPMessage) -> str:
    """What tells one content of a URL from another: a strong ETag, else the time of change."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _mark(part: Path) -> Path:
    return part.with_suffix(".mark")
