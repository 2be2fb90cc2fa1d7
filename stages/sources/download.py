"""The pictures of the web: fetched at once from many hosts, given in the order they were found.

A source finds candidates: its feeder gives pages, its parser what is on them. Here they become
pictures, or are missed for a reason that is told. Which ones depends on their order alone, never
on which answer came first.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from weakref import WeakValueDictionary

from stages.params import Class, Download, Scrape
from stages.pictures.formats import FORMATS, REASONS, NoPictureError, describe
from stages.runtime import user_cache
from stages.sources import RESERVE, Missed, Picture, crawl
from stages.sources.quota import Quota
from stages.sources.store import Entry, Store
from stages.web.client import Client
from stages.web.opt_outs import Robots, opted_out
from stages.web.refusals import Refusal, tell_of_proxy

# What will be the same at the next try, and is not tried again: the store remembers it.
LASTING = {
    *("bad_url", "not_public", "too_many_redirects", "too_large", "robots", "opted_out"),
    *("http_404", "http_410", "http_451"),
    *REASONS,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that a source has found, not yet fetched. Unknown facts are empty text.

    With a `reason` it is not to be fetched, and missed for that.
    """

    class_name: str
    image_url: str
    query: str = ""
    page_url: str = ""
    title: str = ""
    author: str = ""
    licence: str = ""
    licence_url: str = ""
    reason: str = ""


def pictures(
    source: str,
    feeder: type[Feeder],
    parser: type[crawl.Parser],
    classes: Mapping[str, Class],
    settings: Scrape,
    known: Collection[str],
    **kwargs: object,
) -> Iterator[Picture | Missed]:
    """What a source of the web gives: its pages fed, parsed and their pictures fetched.

    Candidates come in the order of their class. `kwargs` are for `feeder.feed`.
    """
    quota = Quota({name: c.per_class + RESERVE for name, c in classes.items()}, known)
    sides = {name: c.min_side for name, c in classes.items()}
    with Fetcher(settings.download) as fetcher:
        crawler = crawl.Crawler(
            feeder,
            parser,
            Downloader,
            downloader_threads=settings.download.connections,
            extra_feeder_args={"quota": quota},
            extra_downloader_args={"fetcher": fetcher, "quota": quota, "sides": sides},
        )
        outcomes = crawler.crawl(classes=classes, settings=settings, **kwargs)
        yield from _wanted(source, outcomes, quota, fetcher.store)


def _wanted(
    source: str, outcomes: Iterable[tuple[Candidate, Entry]], quota: Quota, store: Store
) -> Iterator[Picture | Missed]:
    """Each class's outcomes up to the last different picture that is wanted."""
    for number, (candidate, entry) in enumerate(outcomes):
        if quota.full(candidate.class_name, number):
            continue
        facts = {"source": source, **_facts(candidate)}
        if entry.reason:
            yield Missed(**facts, reason=entry.reason)
        else:
            name = f"{source}_{entry.sha256[:16]}{FORMATS[entry.format].suffixes[0]}"
            yield Picture(**facts, name=name, data=store.path(entry.sha256))


def _facts(candidate: Candidate) -> dict[str, str]:
    """All but the reason."""
    names = (field.name for field in fields(candidate) if field.name != "reason")
    return {name: getattr(candidate, name) for name in names}


class Feeder(crawl.Feeder):
    """Subclasses offer `feed(classes, settings)`, which puts pages through `self.output`.

    They leave a class when `self.quota.full(class_name)`: no more of it will be taken.
    """

    def __init__(self, *args: object, quota: Quota) -> None:
        super().__init__(*args)
        self.quota = quota


class Downloader(crawl.Downloader):
    def __init__(
        self, *args: object, fetcher: Fetcher, quota: Quota, sides: Mapping[str, int]
    ) -> None:
        super().__init__(*args)
        self.fetcher, self.quota, self.sides = fetcher, quota, sides

    def download(self, number: int, candidate: Candidate) -> tuple[Candidate, Entry]:
        name, entry = candidate.class_name, Entry(candidate.image_url, reason=candidate.reason)
        if not candidate.reason and not self.quota.full(name, number):
            entry = self.fetcher.fetch(candidate.image_url, self.sides[name])
        self.quota.settle(name, entry.sha256, number)
        return candidate, entry


class Fetcher:
    """From a URL to a picture in the store, or to the reason why there is none."""

    def __init__(self, settings: Download) -> None:
        self.settings = settings
        self.store = Store(user_cache.folder() / "pictures")
        self._agent = re.match(r"[^/ ]*", settings.user_agent)[0]
        self._client = Client(settings)
        self._robots = Robots(self._client, self._agent)
        self._busy: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.store.close()

    def fetch(self, url: str, min_side: int = 0) -> Entry:
        """What came of a URL, from the store where it was asked before under the same rules."""
        with self._lock:
            alone = self._busy.setdefault(url, threading.Lock())
        with alone:  # two classes may have found it
            entry = self.store.find(url)
            if entry is None or not self._holds(entry):
                entry = self._ask(url)
        return self._judged(entry, min_side)

    def _holds(self, entry: Entry) -> bool:
        """Whether an earlier answer would be given under today's settings too."""
        settings = self.settings
        if entry.sha256:
            return entry.robots or not settings.respect_robots
        if entry.reason not in LASTING:  # an older ViToon's: it refused drawings
            return False
        return {
            "robots": settings.respect_robots,
            "opted_out": settings.respect_opt_out,
            "too_large": entry.bytes >= settings.max_megabytes * 1_000_000,
        }.get(entry.reason, True)

    def _judged(self, entry: Entry, min_side: int) -> Entry:
        """A picture of the store that today's settings do not take has a reason instead."""
        settings, reason = self.settings, ""
        if entry.opted_out and settings.respect_opt_out:
            reason = "opted_out"
        elif entry.bytes > settings.max_megabytes * 1_000_000:
            reason = "too_large"
        elif min(entry.width, entry.height) < min_side:
            reason = "too_small"
        return Entry(entry.url, reason=reason) if entry.sha256 and reason else entry

    def _ask(self, url: str) -> Entry:
        try:
            return self._picture(url)
        except (Refusal, NoPictureError) as refusal:
            if isinstance(refusal, Refusal):
                tell_of_proxy(refusal, url)
            limit = self.settings.max_megabytes * 1_000_000
            bytes_ = limit if refusal.reason == "too_large" else 0
            entry = Entry(url, reason=refusal.reason, bytes=bytes_)
            return self.store.note(entry) if refusal.reason in LASTING else entry

    def _picture(self, url: str) -> Entry:
        settings = self.settings
        permit = self._robots.require if settings.respect_robots else None
        answer = self._client.get(url, {"accept": "image/*"}, permit=permit)
        if answer.status != 200:
            raise Refusal(f"http_{answer.status}", f"{url}: status {answer.status}")
        no = opted_out(answer.headers, self._agent)
        if no and settings.respect_opt_out:
            raise Refusal("opted_out", f"{url}: its headers keep it from training")
        kind, width, height = describe(answer.body)
        entry = Entry(
            url=url,
            sha256=hashlib.sha256(answer.body).hexdigest(),
            format=kind,
            width=width,
            height=height,
            bytes=len(answer.body),
            robots=settings.respect_robots,
            opted_out=no,
        )
        return self.store.keep(entry, answer.body)
