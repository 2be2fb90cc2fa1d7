"""Pictures of a list of your own: a CSV file with columns class and url.

    class,url,title
    Cat,https://example.org/cat.png,A cat that sleeps

What is known of a picture may stand beside it, in columns named as in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import scratch, search_engines
from stages.sources.listing import lines
from stages.sources.results import Result

KNOWN = ("page_url", "title", "author", "licence", "licence_url")
PAGE = 100  # lines
LINES = f"""CREATE TABLE lines (query, image_url, {", ".join(KNOWN)});
    CREATE INDEX of_query ON lines (query)"""
ADD = f"INSERT INTO lines VALUES (?, ?{', ?' * len(KNOWN)})"  # noqa: S608
QUERIES = "SELECT query FROM lines GROUP BY query ORDER BY min(rowid)"
RESULTS = f"SELECT image_url, {', '.join(KNOWN)} FROM lines WHERE query = ? ORDER BY rowid"  # noqa: S608


def searches(name: str, _: Class, settings: Scrape) -> list[search_engines.Search]:
    """What the list says of a class, as if it had been searched for."""
    table = scratch.database(LINES)
    table.executemany(ADD, map(values, lines(Path(settings.urls), "url", name)))
    queries = [row["query"] for row in table.execute(QUERIES)]
    if not queries:
        raise StudyError(
            f"{settings.urls} has no line of class {name}: scrape.urls needs some of each"
        )
    return [
        search_engines.Search(query, partial(pages, table, query), asks=False) for query in queries
    ]


def values(line: dict[str, str]) -> list[str]:
    """A line's row; what is no address of the web is left for the downloader to refuse."""
    return [line.get("query", ""), line["url"].strip(), *(line.get(name, "") for name in KNOWN)]


def pages(table: Connection, query: str, _: search_engines.Get) -> Iterator[list[Result]]:
    rows = table.execute(RESULTS, (query,))
    while page := rows.fetchmany(PAGE):
        yield [Result(**row) for row in page]


pictures = partial(search_engines.pictures, "urls", searches)
