"""What a search engine's pages say of a picture, and how to read pages that may hold anything.

Nothing here raises for a page's sake but `UnreadableError`: pages come from anywhere.
"""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import dataclass, replace

import lxml.etree
import lxml.html

LARGEST = 1_000_000  # pixels of a side; more is a mistake of the page
LONGEST = 8192  # characters of a URL
LONGEST_TITLE = 500


@dataclass(frozen=True)
class Result:
    """One picture that a page names. What the page does not say is empty text, or 0."""

    image_url: str
    page_url: str = ""
    title: str = ""
    width: int = 0
    height: int = 0
    author: str = ""
    licence: str = ""
    licence_url: str = ""


class UnreadableError(Exception):
    """A page without results that is no end of results: `reason` names what it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def together(results: list[Result]) -> list[Result]:
    """Each image once, where it came first; later mentions add what the first left out."""
    found: dict[str, Result] = {}
    for result in results:
        if not result.image_url:
            continue
        first = found.setdefault(result.image_url, result)
        more = {key: value for key, value in vars(result).items() if not getattr(first, key)}
        found[result.image_url] = replace(first, **more)
    return list(found.values())


# ---- values -----------------------------------------------------------------------------------


def clean(value: object) -> str:
    """Text for a table: no tags, no entities, single spaces, a limited length."""
    if not isinstance(value, str):
        return ""
    text = html.unescape(re.sub(r"<[a-zA-Z/!][^<>]*>", "", value))
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_TITLE]


def web_url(value: object) -> str:
    """A URL of the web, or nothing: no data, no relative paths."""
    if not isinstance(value, str):
        return ""
    url = value.strip()
    if url.startswith("//"):
        url = f"https:{url}"
    right = re.match(r"https?://[^/\s]", url, re.IGNORECASE) and len(url) <= LONGEST
    return url.replace(" ", "%20") if right and url.replace(" ", "").isprintable() else ""


def number(value: object) -> int:
    """Pixels of a side: a whole number, also as text; 0 where it is none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 8:
        value = int(value)
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 < value <= LARGEST else 0


def at(value: object, *keys: str | int) -> object:
    """What stands at a place of JSON; None where there is no such place."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def items(value: object, *keys: str | int) -> list[dict]:
    """The maps of a list at a place of JSON."""
    found = at(value, *keys)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# ---- whole pages ------------------------------------------------------------------------------


def from_json(text: str, start: int = 0) -> object:
    """The JSON value that begins at `start`, whatever follows; None where there is none."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def answer(text: str) -> dict:
    """A JSON answer as a map. Raises UnreadableError."""
    content = from_json(text.lstrip("\ufeff \t\r\n"))
    if not isinstance(content, dict):
        raise UnreadableError("unknown page")
    return content


def tree(text: str) -> lxml.html.HtmlElement | None:
    """A page as elements; None where it has none."""
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        # As bytes: of text, lxml refuses a page that says its encoding.
        return lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (lxml.etree.LxmlError, ValueError):
        return None


def text_of(body: bytes) -> str:
    """A page's bytes as text: UTF-8, or what its first bytes say."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    named = re.search(rb"<meta[^>]{0,80}charset=[\"']?([\w-]{3,20})", body[:4096], re.IGNORECASE)
    encoding = named[1].decode("ascii", "replace") if named else "utf-8"
    try:
        return body.decode(encoding, "replace").removeprefix("\ufeff")
    except LookupError:
        return body.decode("utf-8", "replace").removeprefix("\ufeff")
