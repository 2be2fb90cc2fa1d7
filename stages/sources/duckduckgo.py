"""Pictures that DuckDuckGo finds (they are Bing's): a token from its page, then JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit

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
    "type": {
        **{"clipart": "type:clipart", "lineart": "type:line", "photo": "type:photo"},
        "animated": "type:gif",
    },
    "colour": {
        **{"colour": "color:color", "grey": "color:Monochrome"},
        "transparent": "type:transparent",
    },
    "size": {size: f"size:{size.title()}" for size in ("small", "medium", "large")},
    "licence": {
        **{"creative_commons": "license:Any", "public_domain": "license:Public"},
        "commercial": "license:ShareCommercially",
    },
}
SLOTS = ("time", "size", "color", "type", "layout", "license")
HOME = "https://duckduckgo.com/"


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    chosen = search_engines.chosen("duckduckgo", FILTERS, filters).values()
    slots = {word.partition(":")[0]: word for word in chosen}
    asked = {"l": "wt-wt", "o": "json", "q": query, "p": "1"}
    asked["f"] = ",".join(slots.get(slot, "") for slot in SLOTS)
    page = _checked(get(f"{HOME}?{urlencode({'q': query, 'iar': 'images'})}"))
    asked["vqd"] = token(page)
    while True:
        headers = {"referer": HOME, "accept": "application/json"}
        found, after = parse(_checked(get(f"{HOME}i.js?{urlencode(asked)}", headers)))
        yield found
        if not after:
            return
        asked |= after  # where it goes on; the token stays


def _checked(reply: search_engines.Response) -> str:
    if reply.status in (202, 403):
        raise UnreadableError(f"{reply.status}, blocked for now")
    return text_of(reply.body)


def token(page: str) -> str:
    """What its own script sends with a query. Raises UnreadableError."""
    found = re.search(r"vqd=[\"']?([\d-]{5,100})", page)
    if not found:
        raise UnreadableError("page without its token")
    return found[1]


def parse(page: str) -> tuple[list[Result], dict[str, str]]:
    """The results of an answer, and what to ask for the next one. Raises UnreadableError."""
    content = answer(page)
    if not isinstance(content.get("results"), list):
        raise UnreadableError("unknown page")
    found = [
        Result(
            image_url=web_url(item.get("image")),
            page_url=web_url(item.get("url")),
            title=clean(item.get("title")),
            width=number(item.get("width")),
            height=number(item.get("height")),
        )
        for item in items(content, "results")
    ]
    return [result for result in found if result.image_url], _next(content.get("next"))


def _next(link: object) -> dict[str, str]:
    """Of the link only where it goes on (`s`): the rest is as it was."""
    try:
        place = parse_qs(urlsplit(link if isinstance(link, str) else "").query).get("s", [])
    except ValueError:
        place = []
    return {"s": place[0]} if place and place[0].isdecimal() else {}


pictures = partial(search_engines.pictures, "duckduckgo", search_engines.live(pages))
