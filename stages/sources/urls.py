"""Pictures of a list of your own: a CSV file with columns class and url.

    class,url,title
    Cat,https://example.org/cat.png,A cat that sleeps

What is known of a picture may stand beside it, in columns named as in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import web
from stages.sources.listing import lines
from stages.sources.results import Result

KNOWN = ("page_url", "title", "author", "licence", "licence_url")
PAGE = 100  # lines


def searches(name: str, _: Class, settings: Scrape) -> list[web.Search]:
    """What the list says of a class, as if it had been searched for."""
    rows = lines(Path(settings.urls), "url").get(name)
    if not rows:
        raise StudyError(
            f"{settings.urls} has no line of class {name}: scrape.urls needs some of each"
        )
    queries = dict.fromkeys(row.get("query", "") for row in rows)
    return [
        web.Search(query, partial(pages, [r for r in rows if r.get("query", "") == query]), False)
        for query in queries
    ]


def pages(rows: list[dict[str, str]], _: web.Get) -> Iterator[list[Result]]:
    for first in range(0, len(rows), PAGE):
        yield [result(row) for row in rows[first : first + PAGE]]


def result(row: dict[str, str]) -> Result:
    """A line's picture; what is no address of the web is left for the downloader to refuse."""
    return Result(row["url"].strip(), **{name: row.get(name, "") for name in KNOWN})


pictures = partial(web.pictures, "urls", searches)
