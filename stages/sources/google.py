"""Pictures that Google finds: from result pages the user saved, then from a live attempt.

Google answers a plain client seldom, and nothing here pretends to be another one: what comes
instead of results is called by its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from stages.errors import StudyError
from stages.params import UNSET, Class, Filters, Scrape
from stages.sources import search_engines
from stages.sources.google_pages import parse, results
from stages.sources.results import Result
from stages.sources.saved_pages import Saved, saved

FILTERS = {
    "type": {name: f"itp:{name}" for name in ("clipart", "lineart", "photo", "animated")},
    "colour": {"colour": "ic:color", "grey": "ic:gray", "transparent": "ic:trans"},
    "size": {"small": "isz:i", "medium": "isz:m", "large": "isz:l"},
    "licence": {"creative_commons": "sur:cl"},
}
CONSENT = "CONSENT=PENDING+987; SOCS=CAESHAgBEhIaAB"  # what "reject all" leaves
STEP = 10


def pages(query: str, filters: Filters, get: search_engines.Get) -> Iterator[list[Result]]:
    chosen = ",".join(search_engines.chosen("google", FILTERS, filters).values())
    start = 0
    while True:
        asked = {"q": query, "udm": 2, "hl": "en", "ie": "utf8", "oe": "utf8", "safe": "active"}
        asked |= {"tbs": chosen} if chosen else {}
        asked |= {"start": start} if start else {}
        url = f"https://www.google.com/search?{urlencode(asked)}"
        reply = get(url, {"cookie": CONSENT}, any_status=True)
        yield results(reply.status, reply.url, reply.body)
        start += STEP


def searches(name: str, wanted: Class, settings: Scrape) -> list[search_engines.Search]:
    """First what the user has saved, for that asks no one."""
    return [
        *saved_searches(settings.pages, name),
        *search_engines.live(pages)(name, wanted, settings),
    ]


def saved_searches(folder: str, name: str) -> list[search_engines.Search]:
    if folder == UNSET["pages"]:
        return []
    if not Path(folder).is_dir():
        raise StudyError(f"{folder} is no folder: scrape.pages needs one with saved result pages")
    found = saved(Path(folder) / name)
    return [
        search_engines.Search(page.query or page.name, partial(read, page), asks=False)
        for page in found
    ]


def read(page: Saved, get: search_engines.Get) -> Iterator[list[Result]]:
    get.body = page.body
    yield parse(page.page, page.scripts)


pictures = partial(search_engines.pictures, "google", searches)
