"""Pictures of Flickr, for who has a key of its API: in the variable FLICKR_API_KEY."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

from stages.errors import StudyError
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

# Flickr's numbers of licences; those left out allow no copies, or are of works without copyright.
LICENCES = {
    **{"1": "CC-BY-NC-SA-2.0", "2": "CC-BY-NC-2.0", "3": "CC-BY-NC-ND-2.0", "4": "CC-BY-2.0"},
    **{"5": "CC-BY-SA-2.0", "6": "CC-BY-ND-2.0", "9": "CC0-1.0"},
}
FILTERS = {
    "type": {"photo": "content_types=0", "clipart": "content_types=2"},
    "colour": {"grey": "color_codes=d"},
    "size": {"medium": "dimension_search_mode=min&width=640&height=640"}
    | {"large": "dimension_search_mode=min&width=1024&height=1024"},
    "licence": {
        **{"creative_commons": "license=1,2,3,4,5,6,9", "public_domain": "license=9,10"},
        "commercial": "license=4,5,6,9,10",
    },
}
SIZES = ("o", "l", "c", "z")  # of a photo's copies, largest first


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    key = os.environ.get("FLICKR_API_KEY")
    if not key:
        raise StudyError("source flickr needs a key of Flickr's API in the variable FLICKR_API_KEY")
    chosen = "".join(
        f"&{word}" for word in search_engines.chosen("flickr", FILTERS, filters).values()
    )
    asked = {"method": "flickr.photos.search", "api_key": key, "text": query, "per_page": 100}
    asked |= {"format": "json", "nojsoncallback": 1, "safe_search": 1, "sort": "relevance"}
    asked["extras"] = ",".join([*(f"url_{size}" for size in SIZES), "owner_name", "license"])
    page, last = 1, 1
    while page <= last:
        reply = get(
            f"https://api.flickr.com/services/rest/?{urlencode(asked | {'page': page})}{chosen}"
        )
        page += 1
        found, last = parse(text_of(reply.body))
        yield found


def parse(page: str) -> tuple[list[Result], int]:
    """The results of an answer, and the number of its last page. Raises UnreadableError."""
    content = answer(page)
    if content.get("stat") == "fail":
        raise UnreadableError(f"answer that says: {clean(content.get('message'))[:100]}")
    if not isinstance(at(content, "photos", "photo"), list):
        raise UnreadableError("unknown page")
    found = [_result(item) for item in items(content, "photos", "photo")]
    last = number(at(content, "photos", "pages"))
    return [result for result in found if result.image_url], last


def _result(item: dict) -> Result:
    size = next((size for size in SIZES if web_url(item.get(f"url_{size}"))), "")
    owner, photo = clean(item.get("owner")), clean(item.get("id"))
    return Result(
        image_url=web_url(item.get(f"url_{size}")),
        page_url=web_url(f"https://www.flickr.com/photos/{owner}/{photo}"),
        title=clean(item.get("title")),
        width=number(item.get(f"width_{size}")),
        height=number(item.get(f"height_{size}")),
        author=clean(item.get("ownername")),
        licence=LICENCES.get(str(item.get("license")), ""),
    )


pictures = partial(search_engines.pictures, "flickr", search_engines.live(pages))
