"""icrawler's crawler, repaired: what every source with pages to read is built on.

icrawler 0.6.10 tells the end of the work by idle time (5 s lost per crawl, or pictures, where a
page is slow) and lets a thread that fails die unheard. Here each stage of the chain is told when
the one before it is done, and the first error of a thread is raised by `crawl`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from queue import Queue

import icrawler
from icrawler.storage import BaseStorage
from tqdm import tqdm


class _End:
    """Put into a queue, once for each thread that reads it: nothing comes any more."""


class Memory(BaseStorage):
    """Keeps what the downloader gives it; threads end in any order, `ordered` undoes that."""

    def __init__(self) -> None:
        self.kept: dict[tuple, object] = {}

    def write(self, id: tuple, data: object) -> None:
        self.kept[id] = data

    def exists(self, id: tuple) -> bool:
        return id in self.kept

    def max_file_idx(self) -> int:
        return len(self.kept)

    def ordered(self) -> list:
        return [self.kept[key] for key in sorted(self.kept)]


class _Worker:
    """A thread's life: work until the end is said or another thread has failed."""

    def worker_exec(self, **kwargs: object) -> None:
        try:
            self.work(**kwargs)
        except BaseException as error:  # raised again by `crawl`
            self.signal.set(error=self.signal.get("error") or error)
            self.drain()

    def tasks(self) -> Iterator[object]:
        """Tasks of the queue. After an error they are thrown away: no one waits for room."""
        while not isinstance(task := self.in_queue.get(), _End):
            if self.signal.get("error") is None:
                yield task

    def drain(self) -> None:
        for _ in self.tasks():
            pass


class Feeder(_Worker, icrawler.Feeder):
    """Subclasses offer `feed(**kwargs)`, which puts pages (any value) through `self.output`."""

    def work(self, **kwargs: object) -> None:
        self.feed(**kwargs)

    def drain(self) -> None:
        """Nothing: it reads no queue."""


class Parser(_Worker, icrawler.Parser):
    """Subclasses offer `parse(page)`, which yields tasks for the downloader (dicts)."""

    def work(self, **kwargs: object) -> None:
        for page in self.tasks():
            for task in self.parse(page, **kwargs):
                self.output(task)


class Downloader(_Worker, icrawler.Downloader):
    """Subclasses offer `download(task)`, which writes to `self.storage` under a sortable key."""

    progress: Callable[[], object]

    def start(self, **kwargs: object) -> None:
        icrawler.utils.ThreadPool.start(self, **kwargs)

    def work(self, **kwargs: object) -> None:
        for task in self.tasks():
            self.download(task, **kwargs)
            self.progress()


class Crawler(icrawler.Crawler):
    """`crawl` returns what the downloader wrote, in the order of the keys."""

    def set_logger(self, log_level: int = logging.WARNING) -> None:
        """Leave the program's logging as it is: icrawler would set it up anew."""
        self.logger = logging.getLogger(__name__)

    def crawl(self, **kwargs: object) -> list:
        self.signal.set(error=None)
        with tqdm(desc="pictures", unit="", disable=None, delay=1, leave=False) as bar:
            self.downloader.progress = bar.update
            chain = [self.feeder, self.parser, self.downloader]
            for part in chain:
                part.start(**kwargs if part is self.feeder else {})
            for part, after in zip(chain, [*chain[1:], None], strict=True):
                for worker in part.workers:
                    worker.join()
                for _ in after.workers if after else ():
                    Queue.put(after.in_queue, _End())
        if error := self.signal.get("error"):
            raise error
        return self.storage.ordered()
