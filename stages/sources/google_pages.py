"""Every shape that a page of Google Images has had, live or saved from a browser.

The shapes are those that maintained parsers read (SearXNG, icrawler, Whoogle, 4get); a page may
have several, so all are tried and what they say of one image is put together.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from posixpath import basename
from urllib.parse import unquote, urlsplit

from stages.sources.results import (
    Result,
    UnreadableError,
    at,
    clean,
    from_json,
    items,
    number,
    text_of,
    together,
    tree,
    web_url,
)

# A picture's record, in a script: [0,"DOCID",["THUMB",h,w],["FULL",h,w],… Height comes first.
_TEXT = r'"((?:[^"\\]|\\.){1,8192})"'
_SIZE = r"([^\[\]\"]{0,40})"
RECORD = re.compile(
    rf'\[\s*\d\s*,\s*"([\w:-]{{4,64}})"\s*,\s*\[\s*{_TEXT}{_SIZE}\]\s*,\s*\[\s*{_TEXT}{_SIZE}\]'
)
THUMB = re.compile(r"https?://encrypted-tbn\d*\.(?:gstatic|google)\.com/", re.IGNORECASE)
NOTHING_FOUND = re.compile(
    r"did not match any|aren(?:'|’|&#39;)t any (?:great )?matches"
    r"|/wml/search\?[^\"'>]{0,500}tbm=isch"
)
BLOCKS = {  # what stands on a page without results: what the page is
    "captcha-form": "captcha page",
    "consent.google.": "consent page",
    "/httpservice/retry/enablejs": "script shell",
}


def results(status: int, url: str, body: bytes) -> list[Result]:
    """All results of a live answer, none at the end of them. Raises UnreadableError by name."""
    if "/sorry/" in url:
        raise UnreadableError("captcha page")
    if "consent.google." in url:
        raise UnreadableError("consent page")
    if status != 200:
        names = {403: "403, refused", 429: "429, too many requests"}
        raise UnreadableError(names.get(status, f"status {status}"))
    return parse(text_of(body))


def parse(page: str, scripts: str = "") -> list[Result]:
    """All results of a page; `scripts` is what it keeps in files of its own.

    Raises UnreadableError where there are none and it does not say that nothing was found: a page
    of no known shape is unknown, not empty.
    """
    root = tree(page)
    found = together(
        [
            *in_data(page),  # the fullest first: their order is Google's
            *in_data(scripts),
            *in_arrays(page + scripts, cards(root)),
            *in_json(page),
            *in_meta(root),
            *in_links(root),
        ]
    )
    if found:
        return found
    for mark, name in BLOCKS.items():
        if mark in page:
            raise UnreadableError(name)
    if cards(root):
        raise UnreadableError("page of thumbnails, without the addresses of its pictures")
    # To return normally, it must be a page that is known to be empty.
    if NOTHING_FOUND.search(page) or isinstance(at(_ischj(page), "ischj", "metadata"), list):
        return []
    raise UnreadableError("unknown page")


# ---- G1: cards, and records in a script -------------------------------------------------------


def cards(root: object) -> dict[str, tuple[str, str]]:
    """Page and title of each docid."""
    found = {}
    for card in [] if root is None else root.iterfind(".//*[@data-docid]"):
        image = card.find(".//img[@alt]")
        title = "" if image is None else clean(image.get("alt"))
        found.setdefault(card.get("data-docid"), (web_url(card.get("data-lpage")), title))
    return found


def in_arrays(text: str, of: dict[str, tuple[str, str]]) -> Iterator[Result]:
    if "\\x22" in text:  # in a script's own text, where quotes are written so
        text += re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), text)
    for docid, _, _, full, size in RECORD.findall(text):
        page, title = of.get(docid, ("", ""))
        yield _full(_decoded(full), re.findall(r"\d+", size), page, title)


def _decoded(text: str) -> str:
    """A script's text: escaped for JSON, then for HTML."""
    try:
        return html.unescape(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return ""


def _full(url: object, size: list, page: object, title: object) -> Result:
    if not isinstance(url, str) or THUMB.match(url):
        url = ""
    height, width = size[:2] if len(size) > 1 else (0, 0)
    return Result(web_url(url), web_url(page), clean(title), number(width), number(height))


# ---- G2: links, in the feature phone's page, the old basic one, and saved pages ---------------


def in_links(root: object) -> Iterator[Result]:
    for link in [] if root is None else root.iterfind(".//a[@href]"):
        path, _, query = link.get("href").partition("?")
        if not path.endswith("/imgres"):
            continue
        pairs = (pair.partition("=") for pair in query.split("#")[0].split("&"))
        values = {key: unquote(value) for key, _, value in pairs}
        url = web_url(values.get("imgurl"))
        image = link.find(".//img[@alt]")
        title = "" if image is None else clean(image.get("alt"))
        yield Result(
            image_url="" if THUMB.match(url) else url,
            page_url=web_url(values.get("imgrefurl")),
            title=title or _file_name(url),
            width=number(values.get("w")),
            height=number(values.get("h")),
        )


def _file_name(url: str) -> str:
    try:
        return clean(unquote(basename(urlsplit(url).path)))
    except ValueError:
        return ""


# ---- G3: the answer to Google's own app -------------------------------------------------------


def _ischj(page: str) -> object:
    start = page.find('{"ischj":')
    return from_json(page, start) if start >= 0 else None


def in_json(page: str) -> Iterator[Result]:
    for item in items(_ischj(page), "ischj", "metadata"):
        image, about = item.get("original_image"), item.get("result")
        creators = at(about, "iptc", "creator")
        yield Result(
            image_url=web_url(at(image, "url")),
            page_url=web_url(at(about, "referrer_url")),
            title=clean(at(about, "page_title")) or clean(at(about, "site_title")),
            width=number(at(image, "width")),
            height=number(at(image, "height")),
            author=", ".join(filter(None, map(clean, creators)))
            if isinstance(creators, list)
            else "",
        )


# ---- G4: data that scripts were started with (2020–24) ----------------------------------------


def in_data(page: str) -> Iterator[Result]:
    """Records anywhere in the data: the path to them moved often."""
    for call in re.finditer(r"AF_initDataCallback\s*\(\s*\{", page):
        start = re.compile(r"\bdata\s*:\s*(?=\[)").search(page, call.end(), call.end() + 500)
        open_ = [from_json(page, start.end())] if start else []
        while open_:
            value = open_.pop()
            if isinstance(value, dict):
                open_ += reversed(value.values())
            elif isinstance(value, list):
                if isinstance(at(value, 2, 0), str) and isinstance(at(value, 3, 0), str):
                    yield _record(value)
                open_ += reversed(value)


def _record(value: list) -> Result:
    facts = next((part["2003"] for part in items(value) if "2003" in part), None)
    return _full(at(value, 3, 0), at(value, 3)[1:3], at(facts, 2), at(facts, 3))


# ---- G5: a line of JSON at each thumbnail (to 2020) -------------------------------------------


def in_meta(root: object) -> Iterator[Result]:
    for place in [] if root is None else root.iterfind(".//div[@class]"):
        if "rg_meta" not in place.get("class").split():
            continue
        about = from_json(place.text_content().strip())
        yield Result(
            image_url=web_url(at(about, "ou")),
            page_url=web_url(at(about, "ru")),
            title=clean(at(about, "pt")),
            width=number(at(about, "ow")),
            height=number(at(about, "oh")),
        )
