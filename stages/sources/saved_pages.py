"""Result pages that a user saved from the browser: HTML, with its folder of files, or MHTML."""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from pathlib import Path

from stages.errors import StudyError
from stages.sources.results import text_of, tree

SUFFIXES = {".html", ".htm", ".mhtml", ".mht"}
SCRIPTS = {".html", ".htm", ".js", ".json", ".txt", ".download"}
MAX_MEGABYTES = 64


@dataclass(frozen=True)
class Saved:
    name: str
    body: bytes  # as it was saved
    page: str
    scripts: str  # what the page keeps in files of its own

    @property
    def query(self) -> str:
        """What was searched, as the page's own search field says."""
        root = tree(self.page)
        for field in [] if root is None else root.iterfind(".//*[@name='q']"):
            if value := (field.get("value") or field.text or "").strip():
                return " ".join(value.split())[:200]
        return ""


def saved(folder: Path) -> list[Saved]:
    """The pages of one class by name; none where the folder is missing."""
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    return [read(path) for path in files if path.is_file() and not path.name.startswith(".")]


def read(path: Path) -> Saved:
    body = _bytes(path)
    if path.suffix.lower() in {".mhtml", ".mht"}:
        return Saved(path.name, body, *parts(body))
    return Saved(path.name, body, text_of(body), beside(path))


def beside(path: Path) -> str:
    """The scripts of "Webpage, complete": in cat_files, cat-Dateien, cat.files, … of cat.html."""
    folders = [
        other
        for other in sorted(path.parent.iterdir())
        if other.is_dir() and re.fullmatch(rf"{re.escape(path.stem)}[_.-]\w+", other.name)
    ]
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
    return "\n".join(text_of(_bytes(f)) for f in files if f.suffix.lower() in SCRIPTS)


def parts(body: bytes) -> tuple[str, str]:
    """The page of an MHTML file, and its frames and scripts."""
    texts = []
    for part in email.message_from_bytes(body).walk():
        if re.match(r"text/(html|javascript)|application/(java|x-java)", part.get_content_type()):
            data = part.get_payload(decode=True) or b""
            texts.append(text_of(data))
    return (texts[0], "\n".join(texts[1:])) if texts else ("", "")


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > MAX_MEGABYTES << 20:
        raise StudyError(f"{path} has more than {MAX_MEGABYTES} MB: that is no page of results")
    return path.read_bytes()
