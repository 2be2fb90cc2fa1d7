"""Items made in the background: what computes does not wait for what reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetch(Generic[Item]):
    """Gives `items`, each made while the one before is used.

    `waited` is for how long (s) they were late, `share` what part of the time since the first one
    was asked for that is.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self.items = items
        self.waited = 0.0
        self.started = time.perf_counter()

    def __iter__(self) -> Iterator[Item]:
        self.started = time.perf_counter()
        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(next, self.items, None)
            while (item := self._wait(coming)) is not None:
                coming = thread.submit(next, self.items, None)
                yield item

    def _wait(self, coming: Future) -> Item | None:
        started = time.perf_counter()
        item = coming.result()
        self.waited += time.perf_counter() - started
        return item

    @property
    def share(self) -> float:
        return self.waited / (time.perf_counter() - self.started)

    def complain(self) -> None:
        """Say that the items come too slowly, where that costs more than seconds."""
        if self.waited > 10 and self.share > 0.1:
            print(f"{self.share:.0%} of the time went by waiting for data", flush=True)
