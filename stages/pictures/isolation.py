"""Strangers' pictures in processes of their own: what kills its decoder ends no more than that.

Pillow's decoders and resvg are C and Rust: a hostile file may crash them, or keep them busy for
ever. So whoever reads such files gives the work on each one to a process that may end.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import connection
from typing import Generic, TypeVar

from stages.runtime.processors import cores

Key, Value, Result = TypeVar("Key"), TypeVar("Value"), TypeVar("Result")

AHEAD = 4  # pictures for each process, under way or waiting: so many are in memory
CPU_SECONDS = 60  # for one picture; the largest allowed take a few


def on_all_cores(
    work: Callable[[Key, Value], Result],
    jobs: Iterable[tuple[Key, Value]],
    seconds: float = CPU_SECONDS,
) -> Iterator[tuple[Key, Result | None]]:
    """As `Isolation.each`, with a process for each core, which end with the last pair."""
    with Isolation(work, cores(), seconds) as isolated:
        yield from isolated.each(jobs)


class Isolation(Generic[Key, Value, Result]):
    """Some processes that do `work` on pairs, for as long as its block lasts."""

    def __init__(
        self, work: Callable[[Key, Value], Result], workers: int, seconds: float = CPU_SECONDS
    ) -> None:
        self.work = partial(limited, work, seconds)
        self.workers = workers
        self.pool = processes(workers)

    def __enter__(self) -> Isolation:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def each(self, jobs: Iterable[tuple[Key, Value]]) -> Iterator[tuple[Key, Result | None]]:
        """What `work` makes of each pair, with its key, as they come; None where its process ended.

        A picture that kills its process takes those beside it along: what was under way is done
        again, each in a process of its own, to see which one it was. Keys, values and results
        travel between processes. Pairs are taken as they are needed.
        """
        waiting, running = iter(jobs), {}
        while True:
            for pair in islice(waiting, AHEAD * self.workers - len(running)):
                running[self._submit(pair)] = pair
            if not running:
                return
            for job in wait(running, return_when=FIRST_COMPLETED).done:
                if not isinstance(job.exception(), BrokenProcessPool):
                    yield running.pop(job)[0], job.result()
            if any(isinstance(job.exception(), BrokenProcessPool) for job in running if job.done()):
                self.pool.shutdown()
                self.pool = processes(self.workers)
                yield from self._one_by_one(running)
                running = {}

    def _submit(self, pair: tuple[Key, Value]) -> Future:
        try:
            return self.pool.submit(self.work, *pair)
        except BrokenProcessPool as error:  # one that is under way broke it a moment ago
            broken: Future = Future()
            broken.set_exception(error)
            return broken

    def _one_by_one(
        self, running: dict[Future, tuple[Key, Value]]
    ) -> Iterator[tuple[Key, Result | None]]:
        for job, pair in running.items():
            if job.done() and not job.exception():
                yield pair[0], job.result()
            else:
                yield pair[0], _alone(self.work, *pair)


def processes(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool for `limited` work, one process for each core unless told otherwise."""
    # Spawned, not forked: a fork copies locks that threads of the parent may hold.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, spawn, initializer=_start_worker)


def limited(work: Callable[..., Result], seconds: float, *about: object) -> Result:
    """Do the work, or die by the signal that CPU time beyond the limit sends."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with _quiet():
            return work(*about)
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


def _alone(work: Callable[[Key, Value], Result], key: Key, value: Value) -> Result | None:
    with processes(1) as pool:
        try:
            return pool.submit(work, key, value).result()
        except BrokenProcessPool:
            return None


def end_with_parent() -> None:
    """For a process that others start: it ends as soon as its parent has, however that came."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends its workers

    def watch() -> None:
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start_worker() -> None:
    end_with_parent()
    warnings.simplefilter("ignore")  # what Pillow says of odd files is in the manifest


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on the screen of what C and Rust libraries say of a file: they do not name it.

    A process that dies meanwhile is seen by its parent all the same.
    """
    sys.stderr.flush()
    screen, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        os.close(nowhere)
