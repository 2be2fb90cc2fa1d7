"""Openly licensed pictures that Openverse lists; no key needed up to 240 of a query."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

from stages.params import Filters
from stages.sources import search_engines
from stages.sources.results import (
    Result,
    UnreadableError,
    answer,
    clean,
    items,
    number,
    text_of,
    web_url,
)

FILTERS = {
    "type": {"clipart": "category=illustration", "photo": "category=photograph"},
    "colour": {},
    "size": {size: f"size={size}" for size in ("small", "medium", "large")},
    "licence": {
        **{"creative_commons": "license_type=all-cc", "public_domain": "license=cc0,pdm"},
        "commercial": "license_type=commercial",
    },
}
COUNT = 20  # more needs a key
LAST = 12  # page; further ones need a key


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    chosen = "".join(
        f"&{word}" for word in search_engines.chosen("openverse", FILTERS, filters).values()
    )
    for number_ in range(1, LAST + 1):
        asked = {"q": query, "page": number_, "page_size": COUNT, "mature": "false"}
        reply = get(f"https://api.openverse.org/v1/images/?{urlencode(asked)}{chosen}")
        if reply.status == 401:
            raise UnreadableError("401, a key is asked for")
        found, last = parse(text_of(reply.body))
        yield found
        if number_ >= last:
            return


def parse(page: str) -> tuple[list[Result], int]:
    """The results of an answer, and the number of its last page. Raises UnreadableError."""
    content = answer(page)
    if not isinstance(content.get("results"), list):
        detail = clean(content.get("detail"))
        raise UnreadableError(f"answer that says: {detail[:100]}" if detail else "unknown page")
    found = [_result(item) for item in items(content, "results")]
    return [result for result in found if result.image_url], number(content.get("page_count"))


def _result(item: dict) -> Result:
    return Result(
        image_url=web_url(item.get("url")),
        page_url=web_url(item.get("foreign_landing_url")),
        title=clean(item.get("title")),
        width=number(item.get("width")),
        height=number(item.get("height")),
        author=clean(item.get("creator")),
        licence=spdx(clean(item.get("license")), clean(item.get("license_version"))),
        licence_url=web_url(item.get("license_url")),
    )


def spdx(licence: str, version: str) -> str:
    """Openverse's `by-sa`, `4.0` as CC-BY-SA-4.0; what it has no such name for stays."""
    if licence == "cc0":
        return "CC0-1.0"
    if licence in {"by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd"} and version:
        return f"CC-{licence.upper()}-{version}"
    return licence


pictures = partial(search_engines.pictures, "openverse", search_engines.live(pages))
