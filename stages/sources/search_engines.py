"""Searching the web: what all sources share that ask an engine for pages of results.

Searches feed pages, pages hold results, results become candidates to download: icrawler's three
seams. One request at a time goes to an engine, and none for results that may not be needed.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from stages.errors import ParameterError
from stages.params import Class, Filters, Scrape
from stages.sources import Missed, Picture, Trouble, crawl, download, scratch
from stages.sources.download import Candidate
from stages.sources.results import Result, UnreadableError
from stages.web.client import Client, Response
from stages.web.refusals import Refusal, tell_of_proxy

# For tests only: a server that stands for all engines, http://127.0.0.1:1234/<host>/<path>.
TEST_SERVER = "VITOON_SEARCH_HOST"

PAUSE = 1.0  # seconds between two pages of an engine
MAX_PAGES = 200  # of one query
GIVE_UP = 2  # searches in a row without a page of results: more would be the same

STATUSES = {401: "401, a key is asked for", 403: "403, refused", 429: "429, too many requests"}


class Get:
    """Fetches pages of one engine. `body` is the last page, for who could not read it."""

    def __init__(self, settings: Scrape) -> None:
        self.body = b""
        self._client = Client(settings.download)
        self._agent = settings.search_agent or settings.download.user_agent
        self._next = 0.0

    def __call__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        follow: bool = True,
        any_status: bool = False,
    ) -> Response:
        """An answer. Raises UnreadableError where there is none, or its status says so."""
        self.body = b""
        own = {"user-agent": self._agent, "accept-language": "en", **(headers or {})}
        if server := os.environ.get(TEST_SERVER):
            url = re.sub(r"^https://", f"{server}/", url)
        else:
            time.sleep(max(0.0, self._next - time.monotonic()))
        try:
            answer = self._client.get(url, own, follow=follow)
        except Refusal as refusal:  # its text has the URL in it, and that may have a key
            tell_of_proxy(refusal, url)
            raise UnreadableError(f"no answer ({refusal.reason})") from None
        finally:
            self._next = time.monotonic() + PAUSE
        self.body = answer.body
        if answer.status >= 400 and not any_status:
            raise UnreadableError(STATUSES.get(answer.status, f"status {answer.status}"))
        return answer

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True)
class Search:
    """One query of a class. `pages(get)` gives its pages of results, one after another."""

    query: str
    pages: Callable[[Get], Iterator[list[Result]]]
    asks: bool = True  # the engine; not so for what the user has saved


Searches = Callable[[str, Class, Scrape], list[Search]]


def live(pages: Callable[[str, Filters, Get], Iterator[list[Result]]]) -> Searches:
    """A search for each query of a class, from a function that gives one's pages."""
    return lambda _, wanted, __: [
        Search(q, partial(pages, q, wanted.filters)) for q in wanted.query
    ]


def chosen(
    source: str, offered: Mapping[str, Mapping[str, str]], filters: Filters
) -> dict[str, str]:
    """The engine's words for the filters set. Raises ParameterError for one that it lacks."""
    words = {}
    for kind, value in filters:
        if value == "any":
            continue
        if value not in offered[kind]:
            allowed = ", ".join(["any", *offered[kind]])
            raise ParameterError(
                f"params.yaml: filters.{kind} is {value}; allowed with source {source}: {allowed}"
            )
        words[kind] = offered[kind][value]
    return words


def pictures(
    source: str,
    searches: Searches,
    classes: Mapping[str, Class],
    settings: Scrape,
    known: Collection[str] = (),
) -> Iterator[Picture | Missed | Trouble]:
    """Pictures that searches find, what could not be had of them, and searches without results."""
    troubles: list[Trouble] = []
    yield from download.pictures(
        *(source, Pages, Results, classes, settings, known),
        engine=source,
        searches=searches,
        troubles=troubles,
    )
    yield from troubles


@dataclass(frozen=True)
class Page:
    class_name: str
    wanted: Class
    query: str
    results: list[Result]


class Pages(download.Feeder):
    """The classes take turns, so that one whose last pictures are slow keeps no other waiting."""

    def feed(
        self,
        classes: Mapping[str, Class],
        settings: Scrape,
        engine: str,
        searches: Searches,
        troubles: list[Trouble],
    ) -> None:
        get = Get(settings)
        asked = Engine(engine, get, troubles)
        walks = deque(
            (name, asked.walk(name, wanted, searches(name, wanted, settings)), None)
            for name, wanted in classes.items()
        )
        while walks and self.signal.get("error") is None:
            name, walk, page = walks.popleft()
            if self.quota.full(name):
                continue
            room = self.quota.room(name)
            if not room:  # what is on its way may be enough
                self.quota.wait(0.01 if walks else 0.2)
            elif page := page or next(walk, None):
                self.quota.expect(name, len(page.results[:room]))
                self.output(replace(page, results=page.results[:room]))
                page = replace(page, results=page.results[room:]) if page.results[room:] else None
            else:
                continue
            walks.append((name, walk, page))
        get.close()


class Engine:
    """One engine's pages, class by class; its troubles are noted, not raised."""

    def __init__(self, source: str, get: Get, troubles: list[Trouble]) -> None:
        self.source, self.get, self.troubles = source, get, troubles
        self.failures, self.last = 0, ""
        self._seen = scratch.database(
            "CREATE TABLE seen (class, url, PRIMARY KEY (class, url)) WITHOUT ROWID"
        )

    def walk(self, name: str, wanted: Class, searches: list[Search]) -> Iterator[Page]:
        """A class's pages, each with the results that are new, or all that the user has brought."""
        for search in searches:
            if search.asks and self.failures >= GIVE_UP:
                self._note(name, search, f"not asked any more after: {self.last}", b"")
                continue
            any_new = False
            try:
                for results, new in self._until_nothing_new(name, search):
                    any_new = any_new or bool(new)
                    yield Page(name, wanted, search.query, new if search.asks else results)
                if not any_new:
                    self._note(name, search, "nothing found that was new", b"")
                if search.asks:
                    self.failures = 0
            except UnreadableError as error:
                self._note(name, search, error.reason, self.get.body)
                if search.asks:
                    self.failures, self.last = self.failures + 1, error.reason

    def _until_nothing_new(
        self, name: str, search: Search
    ) -> Iterator[tuple[list[Result], list[Result]]]:
        """Pages of results, each with those of them that the class had not."""
        for number, results in enumerate(search.pages(self.get)):
            if search.asks and number == MAX_PAGES:
                return
            each = {result.image_url: result for result in results}
            new = [result for url, result in each.items() if self._is_new(name, url)]
            if search.asks and not new:
                return
            yield results, new

    def _is_new(self, name: str, url: str) -> bool:
        return scratch.insert(self._seen, "seen", {"class": name, "url": url})

    def _note(self, name: str, search: Search, reason: str, page: bytes) -> None:
        self.troubles.append(Trouble(name, self.source, search.query, reason, page))


class Results(crawl.Parser):
    def parse(self, page: Page) -> Iterator[Candidate]:
        for result in page.results:
            yield Candidate(
                class_name=page.class_name,
                image_url=result.image_url,
                query=page.query,
                page_url=result.page_url,
                title=result.title,
                author=result.author,
                licence=result.licence,
                licence_url=result.licence_url,
                reason=reason_against(result, page.wanted),
            )


def reason_against(result: Result, wanted: Class) -> str:
    """Why a picture need not be fetched; nothing where it is to be."""
    if 0 < min(result.width, result.height) < wanted.min_side:
        return "too_small"
    words = re.sub(r"[\W_]+", " ", f"{result.title} {result.image_url}".casefold())
    for excluded in wanted.exclude:
        word = re.sub(r"[\W_]+", " ", excluded.casefold()).strip()
        if ":" in excluded or not word:  # a pattern on the names of icons
            continue
        # Not all scripts put spaces between words.
        pattern = rf"\b{re.escape(word)}(?:e?s)?\b" if word.isascii() else re.escape(word)
        if re.search(pattern, words):
            return "excluded"
    return ""
