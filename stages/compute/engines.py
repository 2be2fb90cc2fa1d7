"""One function over many pieces: what a stage asks for, and how this machine does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from stages.params import Compute
from stages.pictures import isolation
from stages.pictures.prefetch import Prefetch

Piece, Prepared, Result = TypeVar("Piece"), TypeVar("Prepared"), TypeVar("Result")
Key, Value = TypeVar("Key"), TypeVar("Value")

# What is done with a piece: the first function for one piece while the second is at another.
Steps = tuple[Callable[[Piece], Prepared], Callable[[Prepared], Result]]
Folder = Callable[[], AbstractContextManager[Path]]  # one of this machine, on the one that asks


class Engine(Protocol):
    """Whoever computes. Functions and pieces may travel: they hold no open file and no network."""

    def folder(self, path: Path) -> Folder: ...

    def map(
        self, make: Callable[[], Steps], pieces: Iterable[Piece], start: Callable[[], object]
    ) -> Iterator[Result]:
        """What the steps give for each piece, in order; pieces are taken as they are needed.

        Each process that computes calls `make` once; one other than this calls `start` before.
        """

    def isolated(
        self, work: Callable[[Key, Value], Result], jobs: Iterable[tuple[Key, Value]]
    ) -> Iterator[tuple[Key, Result | None]]:
        """As `isolation.on_all_cores`."""


class Local:
    """This machine, which has a network once and gives it all cores."""

    def folder(self, path: Path) -> Folder:
        return partial(nullcontext, path)

    def map(
        self, make: Callable[[], Steps], pieces: Iterable[Piece], start: Callable[[], object]
    ) -> Iterator[Result]:
        prepare, finish = make()
        prepared = Prefetch(map(prepare, pieces))
        for piece in prepared:
            yield finish(piece)
        prepared.complain()

    def isolated(
        self, work: Callable[[Key, Value], Result], jobs: Iterable[tuple[Key, Value]]
    ) -> Iterator[tuple[Key, Result | None]]:
        return isolation.on_all_cores(work, jobs)


@contextmanager
def chosen(compute: Compute) -> Iterator[Engine]:
    """The engine that params.yaml names. Raises StudyError where it cannot be reached."""
    if compute.engine == "local":
        yield Local()
        return
    from stages.compute import cluster

    with cluster.connected(compute) as found:
        from stages.compute import remote  # here: it takes Ray, which may be absent

        yield remote.OnRay(found)
