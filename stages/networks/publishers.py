"""Weight files of publishers: from a mirror or their own URL, always with the same hash.

A file whose publisher tells no hash is believed once, if it turns out to be what it should be;
weights.lock, which is committed, then holds everyone to that hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from stages import tables
from stages.errors import StudyError
from stages.runtime import user_cache
from stages.web.client import Client, Limits
from stages.web.proxies import without_password
from stages.web.refusals import Refusal
from stages.web.resumable import download
from stages.zoo import Published

LOCK = Path("weights.lock")
LIMITS = Limits(
    user_agent="ViToon",
    connections_per_host=1,
    connect_timeout=30,
    read_timeout=30,
    total_timeout=7200,  # of one try: 400 MB, which the largest have, at 55 kB/s
    max_megabytes=4000,
    retries=3,
)


@contextmanager
def published_file(weights: Published, mirror: str) -> Iterator[Path]:
    """The file, as long as it is looked into; a StudyError raised then says it is no such file.

    `mirror` is `weights.mirror` of params.yaml. Raises StudyError where the file cannot be had or
    is another one.
    """
    expected = known_hash(weights)
    file = _found(weights, mirror, expected)
    try:
        yield file
    except StudyError:
        _forget(file)
        raise
    if not expected:
        hashes = _locked() | {weights.file: user_cache.digest(file)}
        tables.write_json(LOCK, dict(sorted(hashes.items())))


def known_hash(weights: Published) -> str | None:
    """The sha256 that the publisher tells, else that of the first use."""
    return weights.sha256 or _locked().get(weights.file)


def _locked() -> dict[str, str]:
    return tables.read_json(LOCK) if LOCK.exists() else {}


def _found(weights: Published, mirror: str, expected: str | None) -> Path:
    kept = user_cache.folder() / weights.file
    if mirror and "://" not in mirror:
        kept = Path(mirror).expanduser() / weights.file
        if not kept.is_file():
            raise StudyError(f"{kept} is missing: weights.mirror of params.yaml names its folder")
    elif not kept.is_file():
        _fetch(weights, mirror, kept)
    found = user_cache.digest(kept)
    if expected and found != expected:
        _forget(kept)
        who = "its publisher" if weights.sha256 else LOCK
        raise StudyError(
            f"{kept} has sha256 {found[:12]}…, {who} says {expected[:12]}…: "
            "it is damaged, or another file"
        )
    return kept


def _fetch(weights: Published, mirror: str, kept: Path) -> None:
    url = f"{mirror.rstrip('/')}/{quote(weights.file)}" if mirror else weights.url
    # A mirror is the user's own choice, and may be a machine that only this network has.
    client = Client(LIMITS, allow_private=bool(mirror))
    try:
        download(client, url, kept)
    except Refusal as refusal:
        raise StudyError(
            f"{weights.file} could not be fetched from {without_password(url)} ({refusal.what}): "
            "check the network, or set weights.mirror in params.yaml to a folder or URL that has it"
        ) from None
    finally:
        client.close()


def _forget(file: Path) -> None:
    """An error page of a proxy, say, is not kept: the next time it is fetched anew."""
    if file.parent == user_cache.folder():
        file.unlink(missing_ok=True)  # another process of the user was faster
