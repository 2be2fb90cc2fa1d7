"""icrawler's crawler, repaired: what every source with pages to read is built on.

icrawler 0.6.10 tells the end of the work by idle time (5 s lost per crawl, or pictures, where a
page is slow), lets a thread that fails die unheard and remembers every task. Here each stage of the
chain is told when the one before it is done, the first error of a thread is raised by `crawl`, and
what a task gave is handed on at once: little is held, however much there is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from queue import Queue
from threading import Thread

import icrawler

from stages.runtime.progress import progress


class _End:
    """Put into a queue, once for each thread that reads it: nothing comes any more."""


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

    def output(self, task: object) -> None:
        Queue.put(self.out_queue, task)  # icrawler's own keeps every task, to know it again

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
    """Subclasses offer `parse(page)`, which yields tasks for the downloader (any value)."""

    def work(self) -> None:
        tasks = (task for page in self.tasks() for task in self.parse(page))
        for numbered in enumerate(tasks):  # one thread parses: the order is that of the pages
            self.output(numbered)


class Downloader(_Worker, icrawler.Downloader):
    """Subclasses offer `download(number, task)`, which returns what `crawl` is to give."""

    def start(self) -> None:
        icrawler.utils.ThreadPool.start(self)

    def work(self) -> None:
        for number, task in self.tasks():
            self.output((number, self.download(number, task)))


class Crawler(icrawler.Crawler):
    """`crawl` gives what the downloader made of each task, in the order of the tasks."""

    def set_logger(self, log_level: int = logging.WARNING) -> None:
        """Leave the program's logging as it is: icrawler would set it up anew."""
        self.logger = logging.getLogger(__name__)

    def set_storage(self, _: object) -> None:
        """None: icrawler's would be a folder."""
        self.storage = None

    def crawl(self, **kwargs: object) -> Iterator[object]:
        self.signal.set(error=None)
        self.feeder.start(**kwargs)
        self.parser.start()
        self.downloader.start()
        Thread(target=self._end_in_turn, daemon=True).start()
        yield from _in_order(self._arrivals())
        if error := self.signal.get("error"):
            raise error

    def _end_in_turn(self) -> None:
        """When all threads of a part are done, tell those that read what they made."""
        readers = {
            self.feeder: self.parser.thread_num,
            self.parser: self.downloader.thread_num,
            self.downloader: 1,
        }
        for part, number in readers.items():
            for worker in part.workers:
                worker.join()
            for _ in range(number):
                part.output(_End())

    def _arrivals(self) -> Iterator[tuple[int, object]]:
        with progress("scrape", None, "picture") as advance:
            while not isinstance(arrival := self.downloader.out_queue.get(), _End):
                advance(1)
                yield arrival


def _in_order(arrivals: Iterable[tuple[int, object]]) -> Iterator[object]:
    """Values by their number, each as soon as those before it are there."""
    early: dict[int, object] = {}
    turn = 0
    for number, value in arrivals:
        early[number] = value
        while turn in early:
            yield early.pop(turn)
            turn += 1
