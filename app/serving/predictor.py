"""From the files of a request to what a network says of each."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.prediction.model import Model
from app.prediction.pictures import square_of
from app.serving.answers import Guess, Picture, PictureProblem
from app.serving.decoders import DecoderEndedError, Decoders
from app.serving.metrics import Metrics
from app.serving.refusals import OverloadedError
from app.serving.uploads import Upload
from stages.pictures.images import PictureError
from stages.runtime.processors import cores

REMEDY = "send a whole picture, for instance PNG or JPEG; /metadata has its limits"


@dataclass(frozen=True)
class Work:
    """How much is taken on at once."""

    waiting: int = 32  # pictures that are not answered yet
    seconds: float = 15  # for the pictures of a request
    threads: int = cores()  # that run the network, each on one core
    megapixels: float | None = None  # of a picture; the card's


class Predictor:
    """A network at the disposal of many requests at once."""

    def __init__(self, model: Model, decoders: Decoders, metrics: Metrics, work: Work) -> None:
        self._model, self._decoders, self._metrics, self._work = model, decoders, metrics, work
        self._threads = ThreadPoolExecutor(work.threads, "inference")
        self._preparation = model.card | {"max_megapixels": megapixels(model, work)}
        self._waiting = 0

    async def warm_up(self, pictures: int) -> None:
        """So that no request waits for imports, and a service that listens is one that works."""
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "PNG")
        await self._pictures([Upload(None, file.getvalue())] * pictures, 1, None)

    async def pictures(
        self, files: Sequence[Upload], top: int, threshold: float | None
    ) -> list[Picture]:
        """One for each file, in order; a file that gives no picture has a problem instead.

        Below `threshold` the most probable class is not said. Raises OverloadedError at once where
        too many wait, and later where they take too long.
        """
        if self._waiting and self._waiting + len(files) > self._work.waiting:
            raise OverloadedError(f"{self._waiting} pictures wait for their answers")
        self._count(len(files))
        try:
            return await asyncio.wait_for(self._pictures(files, top, threshold), self._work.seconds)
        except asyncio.TimeoutError:
            detail = f"no answer within {self._work.seconds:g} s"
            raise OverloadedError(detail, seconds=5) from None
        finally:
            self._count(-len(files))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count(self, more: int) -> None:
        self._waiting += more
        self._metrics.waiting.set(self._waiting)

    async def _pictures(
        self, files: Sequence[Upload], top: int, threshold: float | None
    ) -> list[Picture]:
        found = await asyncio.gather(*(self._square(file.data) for file in files))
        squares = [one for one in found if not isinstance(one, PictureProblem)]
        rows = iter(await self._probabilities(squares))
        return [
            Picture(name=file.name, class_=None, guesses=[], problem=one)
            if isinstance(one, PictureProblem)
            else self._said(file.name, next(rows), top, threshold)
            for file, one in zip(files, found, strict=True)
        ]

    async def _square(self, data: bytes) -> np.ndarray | PictureProblem:
        with self._metrics.decoding.time():
            try:
                return await self._decoders.run(square_of, data, self._preparation)
            except PictureError as error:
                return PictureProblem(code="undecodable", detail=str(error), remedy=REMEDY)
            except DecoderEndedError as error:
                return PictureProblem(code="decoder_ended", detail=str(error), remedy=REMEDY)

    async def _probabilities(self, squares: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """float32 (classes,) of each."""
        if not squares:
            return []
        loop = asyncio.get_running_loop()
        with self._metrics.inference.time():
            return await loop.run_in_executor(
                self._threads, self._model.probabilities, np.stack(squares)
            )

    def _said(
        self, name: str | None, probabilities: np.ndarray, top: int, threshold: float | None
    ) -> Picture:
        best = np.argsort(-probabilities, kind="stable")[:top]
        classes = self._model.card["classes"]
        guesses = [
            Guess(class_=classes[place], probability=round(float(probabilities[place]), 6))
            for place in best
        ]
        sure = threshold is None or probabilities[best[0]] >= threshold
        return Picture(
            name=name, class_=guesses[0].class_ if sure else None, guesses=guesses, problem=None
        )


def megapixels(model: Model, work: Work) -> float:
    return work.megapixels or model.card["max_megapixels"]
