"""Pictures that Baidu finds: the JSON that its own page loads as one scrolls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode, urlsplit

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
    "type": {"clipart": "st=1", "lineart": "st=2", "animated": "lm=6"},
    "colour": {"grey": "ic=2048"},
    "size": {"small": "z=1", "medium": "z=2", "large": "z=3"},
    "licence": {},
}
COUNT = 30
HOME = "https://image.baidu.com/"

# How objURL and fromURL are written.
_PARTS = {"_z2C$q": ":", "_z&e3B": ".", "AzdH3F": "/"}
_LETTERS = str.maketrans("wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla", "abcdefghijklmnopqrstuvw1234567890")


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    chosen = "".join(
        f"&{word}" for word in search_engines.chosen("baidu", FILTERS, filters).values()
    )
    headers = {"referer": HOME, "accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}
    set_ = get(HOME).headers.getlist("set-cookie")
    if cookies := "; ".join(cookie.partition(";")[0] for cookie in set_):
        headers["cookie"] = cookies
    start = 0
    while True:
        asked = {"tn": "resultjson_com", "ipn": "rj", "ie": "utf-8", "oe": "utf-8"}
        asked |= {"word": query, "queryWord": query, "pn": start, "rn": COUNT}
        url = f"{HOME}search/acjson?{urlencode(asked)}{chosen}"
        reply = get(url, headers, follow=False)
        if reply.status in (301, 302):
            raise UnreadableError("captcha page")
        found, there = parse(text_of(reply.body))
        yield found
        start += COUNT
        if start >= there:
            return


def parse(page: str) -> tuple[list[Result], int]:
    """The results of an answer, and how many can be reached. Raises UnreadableError."""
    content = answer(page.replace("\\/", "/").replace("\\'", "'"))
    if content.get("antiFlag"):
        raise UnreadableError(
            f"anti-spider answer ({clean(content.get('message')) or 'no message'})"
        )
    if not isinstance(content.get("data"), list):
        raise UnreadableError("unknown page")
    found = [_result(item) for item in items(content, "data") if item]
    return [result for result in found if result.image_url], number(content.get("listNum"))


def _result(item: dict) -> Result:
    image, page = _original(item)
    return Result(
        image_url=image,
        page_url=page,
        title=clean(item.get("fromPageTitleEnc")) or clean(item.get("fromPageTitle")),
        width=number(item.get("width")),
        height=number(item.get("height")),
    )


def _original(item: dict) -> tuple[str, str]:
    """URLs of the picture and of its page: plain ones, unless they lead to Baidu's own copy."""
    for place in items(item, "replaceUrl"):
        url = web_url(at(place, "ObjURL"))
        if url and not _is_copy(url):
            return url, web_url(at(place, "FromURL"))
    return web_url(decoded(item.get("objURL"))), web_url(decoded(item.get("fromURL")))


def _is_copy(url: str) -> bool:
    try:
        return bool(re.search(r"(^|\.)bdimg\.com$", urlsplit(url).hostname or ""))
    except ValueError:
        return True


def decoded(text: object) -> str:
    if not isinstance(text, str):
        return ""
    if text.startswith("http"):
        return text
    for coded, plain in _PARTS.items():
        text = text.replace(coded, plain)
    return text.translate(_LETTERS)


pictures = partial(search_engines.pictures, "baidu", search_engines.live(pages))
