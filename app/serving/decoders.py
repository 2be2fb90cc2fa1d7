"""Processes that decode strangers' pictures while the event loop goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from stages.pictures.isolation import limited, processes

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
        self._workers = workers or os.cpu_count() or 1
        self._idle: asyncio.Queue[ProcessPoolExecutor] = asyncio.Queue()
        self._pools: set[ProcessPoolExecutor] = set()

    async def __aenter__(self) -> Decoders:
        for _ in range(self._workers):
            self._add()
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[..., Result], *about: object) -> Result:
        """What `work` makes of these, in a process; all of them travel there and back.

        Raises what `work` raises, and DecoderEndedError where it took its process.
        """
        pool = await self._idle.get()
        job = self._submitted(pool, work, *about)
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
            job = pool.submit(limited, work, self._seconds, *about)
        except BrokenProcessPool:  # somebody ended it while it was idle
            pool = self._another(pool)
            job = pool.submit(limited, work, self._seconds, *about)

        def ended(job: Future) -> None:
            broken = not job.cancelled() and isinstance(job.exception(), BrokenProcessPool)
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._give_back, pool, broken)

        job.add_done_callback(ended)
        return job

    def _give_back(self, pool: ProcessPoolExecutor, broken: bool) -> None:
        self._idle.put_nowait(self._another(pool) if broken else pool)

    def _another(self, broken: ProcessPoolExecutor) -> ProcessPoolExecutor:
        self._pools.discard(broken)
        broken.shutdown(wait=False)
        pool = processes(1)
        self._pools.add(pool)
        return pool

    def _add(self) -> None:
        pool = processes(1)
        self._pools.add(pool)
        self._idle.put_nowait(pool)
