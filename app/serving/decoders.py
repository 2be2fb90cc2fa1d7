"""Processes that decode strangers' pictures while the event loop goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import TypeVar

from stages.pictures.isolation import limited, processes
from stages.runtime.processors import cores

Result = TypeVar("Result")

SECONDS = 10  # of the processor, for one picture


class DecoderEndedError(Exception):
    """The process ended at its work: hostile bytes, or more time than it may take."""


class Decoders:
    """As many processes as cores, each with one picture at a time.

    So what kills a process takes no other picture along, and another process follows. Use it as
    an asynchronous context manager.
    """

    def __init__(self, workers: int | None = None, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.workers = workers or cores()
        # A semaphore is fair, and a queue is not: there who comes later may be served before.
        self._free = asyncio.Semaphore(self.workers)
        self._idle: list[ProcessPoolExecutor] = []
        self._pools: set[ProcessPoolExecutor] = set()

    async def __aenter__(self) -> Decoders:
        for _ in range(self.workers):
            self._idle.append(self._new())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for pictures that are being decoded; a process left behind would never end."""
        await asyncio.gather(*(asyncio.to_thread(pool.shutdown) for pool in self._pools))

    async def run(self, work: Callable[..., Result], *about: object) -> Result:
        """What `work` makes of these, in a process; all of them travel there and back.

        Raises what `work` raises, and DecoderEndedError where it took its process.
        """
        await self._free.acquire()
        pool = self._idle.pop()
        try:
            job = self._submitted(pool, work, *about)
        except OSError:  # no process can be started: too many, or no memory
            self._give_back(self._another(pool))
            raise
        try:
            return await asyncio.wrap_future(job)
        except BrokenProcessPool:
            raise DecoderEndedError(
                f"damaged, or takes more than {self._seconds:g} s of the processor to decode"
            ) from None

    def _submitted(
        self, pool: ProcessPoolExecutor, work: Callable[..., Result], *about: object
    ) -> Future:
        """The job; its process is idle again when it has ended, whoever waits for it."""
        loop = asyncio.get_running_loop()
        try:
            job = pool.submit(_done, self._seconds, work, *about)
        except BrokenProcessPool:  # by the picture before, or by somebody while it was idle
            pool = self._another(pool)
            job = pool.submit(_done, self._seconds, work, *about)

        def ended(_: Future) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._give_back, pool)

        job.add_done_callback(ended)
        return job

    def _give_back(self, pool: ProcessPoolExecutor) -> None:
        self._idle.append(pool)
        self._free.release()

    def _another(self, broken: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._pools.discard(broken)
        broken.shutdown(wait=False)
        return self._new()

    def _new(self) -> ProcessPoolExecutor:
        pool = processes(1)
        self._pools.add(pool)
        return pool


def _done(seconds: float, work: Callable[..., Result], *about: object) -> Result:
    _end_with_parent()
    return limited(work, seconds, *about)


@cache
def _end_with_parent() -> None:
    """Where the parent is killed nobody tells its processes, which would wait for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
