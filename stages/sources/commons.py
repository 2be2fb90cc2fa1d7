"""Freely licensed pictures of Wikimedia Commons, with their authors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

from stages.params import Filters
from stages.sources import search_engines
from stages.sources.results import (
    Result,
    UnreadableError,
    answer,
    at,
    clean,
    items,
    number,
    text_of,
    web_url,
)

FILTERS = {
    "type": {"clipart": "drawing", "photo": "bitmap"},
    "colour": {},
    "size": {},
    "licence": {},
}
DRAWN = 1024  # pixels of the width that Commons draws an SVG in


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    kind = search_engines.chosen("commons", FILTERS, filters).get("type", "bitmap|drawing")
    asked = {"action": "query", "format": "json", "generator": "search", "gsrnamespace": 6}
    asked |= {"gsrsearch": f"filetype:{kind} {query}", "gsrlimit": 50, "prop": "imageinfo"}
    asked |= {"iiprop": "url|size|mime|extmetadata", "iiurlwidth": DRAWN}
    asked |= {"iiextmetadatafilter": "Artist|LicenseShortName|LicenseUrl"}
    after: dict[str, object] = {}
    while True:
        reply = get(f"https://commons.wikimedia.org/w/api.php?{urlencode(asked | after)}")
        found, after = parse(text_of(reply.body))
        yield found
        if not after:
            return


def parse(page: str) -> tuple[list[Result], dict[str, object]]:
    """The results of an answer in their order, and what to ask for the next one.

    Raises UnreadableError.
    """
    content = answer(page)
    if "error" in content:
        raise UnreadableError(f"answer that says: {clean(at(content, 'error', 'code'))[:100]}")
    if "batchcomplete" not in content and "query" not in content:
        raise UnreadableError("unknown page")
    found = at(content, "query", "pages")
    found = [f for f in found.values() if isinstance(f, dict)] if isinstance(found, dict) else []
    results = [_result(item) for item in sorted(found, key=lambda item: number(item.get("index")))]
    offset = at(content, "continue", "gsroffset")
    after = {"gsroffset": offset} if isinstance(offset, int) else {}
    return [result for result in results if result.image_url], after


def _result(item: dict) -> Result:
    about = next(iter(items(item, "imageinfo")), {})
    kind, more = clean(about.get("mime")), about.get("extmetadata")
    # An SVG is no picture to the next stages: take the one that Commons draws of it.
    drawn = "thumb" if kind == "image/svg+xml" else ""
    licence_url = at(more, "LicenseUrl", "value")
    return Result(
        image_url=web_url(about.get("thumburl" if drawn else "url"))
        if kind.startswith("image/")
        else "",
        page_url=web_url(about.get("descriptionurl")),
        title=_title(clean(item.get("title"))),
        width=number(about.get(f"{drawn}width")),
        height=number(about.get(f"{drawn}height")),
        author=clean(at(more, "Artist", "value")),
        licence=spdx(clean(at(more, "LicenseShortName", "value"))),
        licence_url=web_url(licence_url),
    )


def _title(name: str) -> str:
    return re.sub(r"\.\w{2,5}$", "", name.removeprefix("File:"))


def spdx(licence: str) -> str:
    """The short name "CC BY-SA 4.0" as CC-BY-SA-4.0; other names stay."""
    if licence == "CC0":
        return "CC0-1.0"
    return re.sub(r"^CC (BY(?:-\w\w)*) (\d\.\d)$", r"CC-\1-\2", licence)


pictures = partial(search_engines.pictures, "commons", search_engines.live(pages))
