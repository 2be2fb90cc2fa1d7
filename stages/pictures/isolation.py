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
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import connection
from typing import TypeVar

Key, Value, Result = TypeVar("Key"), TypeVar("Value"), TypeVar("Result")

BATCH = 256
CPU_SECONDS = 60  # for one picture; the largest allowed take a few


def on_all_cores(
    work: Callable[[Key, Value], Result],
    jobs: Iterable[tuple[Key, Value]],
    seconds: float = CPU_SECONDS,
) -> Iterator[tuple[Key, Result | None]]:
    """What `work` makes of each pair, with its key, as they come; None where it took its process.

    A picture that kills its process takes the pictures beside it along: what is missing of its
    batch is done again, each in a process of its own, to see which one it was. `work`, the pairs,
    whose keys differ, and the results travel between processes. Pairs are taken as they are needed.
    """
    limited_work = partial(limited, work, seconds)
    pool = processes()
    try:
        waiting = iter(jobs)
        while left := dict(islice(waiting, BATCH)):
            try:
                asked = {pool.submit(limited_work, *pair): pair[0] for pair in left.items()}
                for job in as_completed(asked):
                    result = job.result()
                    del left[asked[job]]
                    yield asked[job], result
            except BrokenProcessPool:
                pool = processes()
                for pair in left.items():
                    yield pair[0], _alone(limited_work, *pair)
    finally:
        pool.shutdown(cancel_futures=True)


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
