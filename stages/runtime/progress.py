"""How far a stage is: a bar that moves on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

SECONDS = 30  # between two lines of a log, at least

Item = TypeVar("Item")


@contextmanager
def progress(
    name: str, total: int | None, unit: str, start: int = 0
) -> Iterator[Callable[[int], object]]:
    """Shows on stderr how much of `total` is done; gives the function that is told what is more.

    `unit` is a singular such as picture, or B for bytes; `start` was done before. A log gets no
    line of what takes less than half a minute, and at most nine of anything.
    """
    if not sys.stderr.isatty():
        yield _Lines(name, total, unit, start).add
        return
    looks = {"unit": unit, "unit_scale": unit == "B", "leave": False}
    with tqdm(desc=name, total=total, initial=start, **looks) as bar:
        yield bar.update


def followed(
    items: Iterable[Item],
    name: str,
    total: int,
    unit: str,
    size: Callable[[Item], int] = lambda _: 1,
    start: int = 0,
) -> Iterator[Item]:
    """The items, with progress as each is done with; `size` is how many units one holds."""
    with progress(name, total, unit, start) as advance:
        for item in items:
            yield item
            advance(size(item))


class Pace:
    """When a log gets another line: at a tenth of the work, half a minute or more after the last.

    Without a known total, when the time since the line before has doubled.
    """

    def __init__(self, total: int | None) -> None:
        self.total, self.tenths, self.wait = total, 0, SECONDS
        self.last = time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether a line is due now; the caller then writes it."""
        now = time.monotonic()
        tenths = 10 * done // self.total if self.total else self.tenths + 1
        if tenths <= self.tenths or now - self.last < self.wait:
            return False
        self.tenths, self.last = tenths, now
        if not self.total:
            self.wait *= 2
        return True


class _Lines:
    """Progress in a log."""

    def __init__(self, name: str, total: int | None, unit: str, start: int) -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, start
        self.first, self.started = start, time.monotonic()
        self.pace = Pace(total)

    def add(self, more: int) -> None:
        self.done += more
        if self.done != self.total and self.pace.is_due(self.done):  # a result says the rest
            print(f"{self.name}: {self._so_far()}", file=sys.stderr, flush=True)

    def _so_far(self) -> str:
        if not self.total:
            return f"{self._amount(self.done)} so far"
        each = (time.monotonic() - self.started) / (self.done - self.first)
        left = tqdm.format_interval(each * (self.total - self.done))
        return f"{self.done / self.total:.0%} of {self._amount(self.total)}, {left} left"

    def _amount(self, number: int) -> str:
        if self.unit == "B":
            return tqdm.format_sizeof(number, "B")
        return f"{number:,} {self.unit}s"
