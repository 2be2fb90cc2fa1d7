"""Pictures in, answers out: decoded in processes of their own, classified in batches, in order.

Each core has a batch of its own: two threads of one batch wait for each other at every operation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from app.prediction.model import Model
from app.prediction.pictures import square_of
from app.prediction.sources import Source, UnreadableError, found
from stages.pictures import isolation
from stages.pictures.images import PictureError
from stages.runtime.processors import cores

BATCH = 8  # larger ones leave the caches
CORES = cores()
DIED = f"its decoder crashed or took more than {isolation.CPU_SECONDS} s"

Read = tuple[str, np.ndarray | str]  # name and square of a picture, or why there is none


@dataclass(frozen=True)
class Answer:
    """What a network says of a picture.

    `probability` has every class, the most probable first; it is empty where the picture could not
    be read, for the `reason`. `known` is whether the first one is above the threshold asked for.
    """

    name: str
    probability: dict[str, float]
    known: bool = True
    reason: str = ""

    @property
    def best(self) -> str | None:
        """The class named; None where there is none."""
        return next(iter(self.probability), None) if self.known else None

    def first(self, top: int) -> list[tuple[str, float]]:
        return list(self.probability.items())[:top]


def answers(
    model: Model, places: Iterable[str], threshold: float = 0.0, batch: int = BATCH
) -> Iterator[Answer]:
    """An answer for each picture that the places name, in their order, as they come.

    A confidence below `threshold` is none of the classes. Decoding starts processes: a program that
    calls this needs `if __name__ == "__main__":` around what it does, a notebook does not.
    """
    read = _squares(model, found(places))
    asked: deque[tuple[list[Read], Future]] = deque()
    with ThreadPoolExecutor(CORES) as threads:
        while pieces := list(islice(read, batch)):
            good = [square for _, square in pieces if isinstance(square, np.ndarray)]
            asked.append((pieces, threads.submit(_rows, model, good)))
            if len(asked) > CORES:
                yield from _said(model, *asked.popleft(), threshold)
        while asked:
            yield from _said(model, *asked.popleft(), threshold)


def _rows(model: Model, squares: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    return model.probabilities(np.stack(squares)) if squares else []


def _said(
    model: Model, pieces: Sequence[Read], asked: Future, threshold: float
) -> Iterator[Answer]:
    rows = iter(asked.result())
    for name, square in pieces:
        if isinstance(square, np.ndarray):
            yield _answer(name, model.card["classes"], next(rows), threshold)
        else:
            yield Answer(name, {}, known=False, reason=square)


def _answer(name: str, classes: Sequence[str], shares: np.ndarray, threshold: float) -> Answer:
    order = np.argsort(-shares, kind="stable")
    probability = {classes[place]: float(shares[place]) for place in order}
    return Answer(name, probability, known=bool(shares[order[0]] >= threshold))


def _squares(model: Model, sources: Iterable[Source]) -> Iterator[Read]:
    """Name and square of each picture, or the reason why there is none, in the order given."""
    names: dict[int, str] = {}

    def jobs() -> Iterator[tuple[int, tuple[Source, dict]]]:
        for number, source in enumerate(sources):
            names[number] = source.name
            yield number, (source, model.card)

    waiting: dict[int, np.ndarray | str] = {}
    due = 0
    for number, square in isolation.on_all_cores(_read, jobs()):
        waiting[number] = DIED if square is None else square
        while due in waiting:
            yield names.pop(due), waiting.pop(due)
            due += 1


def _read(number: int, asked: tuple[Source, dict]) -> np.ndarray | str:
    source, card = asked
    try:
        return square_of(source.read(), card)
    except (UnreadableError, PictureError) as error:
        return str(error)
