"""The demo as an application: its page, and what networks say of a picture, line by line."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from app.demonstration import pages
from app.demonstration.examples import Example
from app.demonstration.fetching import LIMITS, fetched
from app.demonstration.heat_maps import HeatMaps, NoHeatMapError, png
from app.demonstration.visitors import OwnPageOnly
from app.prediction.model import Model
from app.prediction.pictures import square_of
from app.serving.decoders import DecoderEndedError, Decoders
from app.serving.refusals import RefusedError
from app.serving.uploads import LimitedBodies, Limits, uploads
from stages.pictures.images import PictureError
from stages.web.client import Client

SCRIPTS = ("chooser.js", "answers.js", "demo.js")
SHOWN = 352  # side of the picture on the page, and below heat maps
REMEDY = "take another one, for instance a PNG or a JPEG"

Squares = dict[int, np.ndarray]  # uint8 RGB (side, side, 3) by side


@dataclass
class Demo:
    """What the routes share. `networks` stand on the page in their order."""

    networks: Sequence[Model]
    examples: Sequence[Example]
    maps: HeatMaps
    limits: Limits = field(default_factory=Limits)
    client: Client = field(default_factory=lambda: Client(LIMITS))
    decoders: Decoders = field(default_factory=Decoders)
    # Networks beside each other would take the cores from one another, and their times be longer.
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    def application(self, loopback: bool = True) -> Starlette:
        routes = [
            Route("/", self.page),
            Route("/examples/{number:int}", self.example),
            Route("/picture", self.picture, methods=["POST"]),
            Route("/address", self.address, methods=["POST"]),
        ]
        middleware = [
            Middleware(OwnPageOnly, loopback=loopback),
            Middleware(LimitedBodies, limits=self.limits, paths={"/picture", "/address"}),
        ]
        return Starlette(
            routes=routes,
            middleware=middleware,
            exception_handlers={RefusedError: lambda _, refused: refused.response()},
            lifespan=self._running,
        )

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        with self.maps:
            async with self.decoders:
                await self._warm_up()
                for model in self.networks:
                    self.maps.start(model.card["network"])
                yield
        self.client.close()

    async def _warm_up(self) -> None:
        """The first run of a session is slow, and so is the start of a process."""
        await self._squares(png(np.zeros((SHOWN, SHOWN, 3), np.uint8)))
        for model in self.networks:
            side = model.card["image_size"]
            await run_in_threadpool(model.probabilities, np.zeros((1, side, side, 3), np.uint8))

    # ---- routes ------------------------------------------------------------------------------

    async def page(self, _: Request) -> Response:
        cards = [model.card for model in self.networks]
        page = pages.page(
            "demo.html.jinja",
            pages.scripts(*SCRIPTS),
            {"connect-src": "'self'", "img-src": "'self' data:"},
            cards=cards,
            by_network={card["network"]: card for card in cards},
            examples=[example.name for example in self.examples],
            limits={"bytes": self.limits.body_bytes},
        )
        policy = f"{page.policy}; frame-ancestors 'none'"
        return HTMLResponse(page.html, headers={"content-security-policy": policy})

    async def example(self, request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(self.examples):
            raise RefusedError(404, "no_example", "there is no such example", "choose another one")
        return Response(self.examples[number].data, media_type="image/png")

    async def picture(self, request: Request) -> Response:
        [upload] = await uploads(request, most=1)
        return await self._answer(upload.data)

    async def address(self, request: Request) -> Response:
        address = (await request.body()).decode(errors="replace")
        return await self._answer(await run_in_threadpool(fetched, self.client, address))

    # ---- one picture -------------------------------------------------------------------------

    async def _answer(self, data: bytes) -> Response:
        squares = await self._squares(data)
        lines = (json.dumps(line) + "\n" async for line in self._lines(squares))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def _squares(self, data: bytes) -> Squares:
        """The picture in each size that is needed. Raises RefusedError where it is none."""
        card = self.networks[0].card
        sides = sorted({SHOWN, *(model.card["image_size"] for model in self.networks)})
        work = (self.decoders.run(square_of, data, card | {"image_size": side}) for side in sides)
        try:
            return dict(zip(sides, await asyncio.gather(*work), strict=True))
        except PictureError as error:
            detail = f"this is no picture that can be read ({error})"
            raise RefusedError(422, "undecodable", detail, REMEDY) from None
        except DecoderEndedError as error:
            raise RefusedError(422, "decoder_ended", f"the picture is {error}", REMEDY) from None

    async def _lines(self, squares: Squares) -> AsyncIterator[dict]:
        yield {"picture": data_uri(png(squares[SHOWN]))}
        for model in self.networks:
            yield await self._said(model, squares)
        for model in self.networks:
            yield await self._map(model, squares)

    async def _said(self, model: Model, squares: Squares) -> dict:
        async with self.alone:
            start = time.perf_counter()
            pixels = squares[model.card["image_size"]][None]
            found = await run_in_threadpool(model.probabilities, pixels)
            milliseconds = 1000 * (time.perf_counter() - start)
        return {
            "network": model.card["network"],
            "probabilities": found[0].tolist(),
            "milliseconds": milliseconds,
        }

    async def _map(self, model: Model, squares: Squares) -> dict:
        network = model.card["network"]
        try:
            found = await self.maps.draw(network, squares[model.card["image_size"]], squares[SHOWN])
        except NoHeatMapError as error:
            return {"network": network, "without_map": str(error)}
        return {"network": network, "map": data_uri(found.png), "where": found.where}


def data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
