"""Pictures that Bing finds: the fragments that its own page of images loads as one scrolls."""

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
    at,
    clean,
    from_json,
    number,
    text_of,
    tree,
    web_url,
)

FILTERS = {
    "type": {
        **{"clipart": "photo-clipart", "lineart": "photo-linedrawing", "photo": "photo-photo"},
        "animated": "photo-animatedgif",
    },
    "colour": {"colour": "color2-color", "grey": "color2-bw", "transparent": "photo-transparent"},
    "size": {size: f"imagesize-{size}" for size in ("small", "medium", "large")},
    "licence": {
        **{"creative_commons": "licenseType-Any", "public_domain": "license-L1"},
        "commercial": "license-L2_L3_L4",
    },
}
COUNT = 35


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    chosen = "".join(
        f"+filterui:{word}" for word in search_engines.chosen("bing", FILTERS, filters).values()
    )
    first = 1
    while True:
        asked = {"q": query, "async": 1, "first": first, "count": COUNT, "adlt": "strict"}
        asked |= {"mkt": "en-US", "qft": chosen} if chosen else {"mkt": "en-US"}
        answer = get(f"https://www.bing.com/images/async?{urlencode(asked)}")
        found = parse(text_of(answer.body), query)
        if not found:
            return
        yield found
        first += len(found)


def parse(page: str, query: str) -> list[Result]:
    """The results of a fragment. Raises UnreadableError, also where they are another query's."""
    root = tree(page)
    if root is None:
        raise UnreadableError("unknown page")
    frame = root.find(".//*[@data-nexturl]")
    other = "" if frame is None else _query(frame.get("data-nexturl"))
    if other and clean(other).casefold() != clean(query).casefold():
        raise UnreadableError("page of another query")
    found = [_result(link) for link in root.iterfind(".//a[@m]") if _is_picture(link)]
    if not found and not any("dgControl" in e.get("class") for e in root.iterfind(".//*[@class]")):
        captcha = re.search(r"captcha|turnstile", page, re.IGNORECASE)
        raise UnreadableError("captcha page" if captcha else "unknown page")
    return [result for result in found if result.image_url]


def _is_picture(link: object) -> bool:
    return "iusc" in link.get("class", "").split()


def _result(link: object) -> Result:
    about = from_json(link.get("m"))
    width, height = _size(link)
    return Result(
        image_url=web_url(at(about, "murl")),
        page_url=web_url(at(about, "purl")),
        title=clean(at(about, "t")) or clean(at(about, "desc")),
        width=width,
        height=height,
    )


def _size(link: object) -> tuple[int, int]:
    """In the link's address, or in words like "3442 x 2972 · png" beside it."""
    href = link.get("href", "")
    sides = [re.search(rf"[?&]{key}=(\d{{1,7}})", href) for key in ("expw", "exph")]
    if not all(sides):
        words = " ".join(span.text_content() for span in _beside(link))
        sides = re.findall(r"(\d{1,7})\s*[x×]\s*(\d{1,7})", words[:200])[:1]
        return tuple(map(number, sides[0])) if sides else (0, 0)
    return number(sides[0][1]), number(sides[1][1])


def _beside(link: object) -> Iterator[object]:
    """The lines about the picture, in the box that holds its link."""
    box = next((b for b in link.iterancestors("div", "li") if "imgpt" in b.get("class", "")), None)
    for span in [] if box is None else box.iterfind(".//span[@class]"):
        if "nowrap" in span.get("class").split():
            yield span


def _query(url: str) -> str:
    try:
        return parse_qs(urlsplit(url).query).get("q", [""])[0]
    except ValueError:
        return ""


pictures = partial(search_engines.pictures, "bing", search_engines.live(pages))
