"""The application on a socket, until a signal ends it."""

from __future__ import annotations

import logging
import socket

import uvicorn
from fastapi import FastAPI

from app.prediction.model import Model
from app.serving.application import application
from app.serving.connections import TimedHeads
from app.serving.decoders import Decoders
from app.serving.predictor import Work
from app.serving.uploads import Limits
from stages.errors import StudyError

CONNECTIONS = 4  # for each request at once: idle ones, and those that are being refused


def run(
    model: Model,
    place: socket.socket,
    said: str,
    grace: float,
    workers: int,
    max_megabytes: float,
    max_megapixels: float | None,
    max_pictures: int,
    max_requests: int,
    max_waiting: int,
    body_seconds: float,
    seconds: float,
) -> None:
    """Print `said` when requests are answered, and do so until SIGTERM or SIGINT.

    What is being answered then has `grace` seconds, and new connections are refused; the signal
    then does what it does without a service. Raises StudyError where the service does not start.
    """
    limits = Limits(
        body_bytes=int(max_megabytes * 1e6),
        body_seconds=body_seconds,
        requests=max_requests,
        pictures=max_pictures,
    )
    work = Work(max_waiting, seconds, workers, max_megapixels)
    app = application(model, limits, work, Decoders(workers))
    server = _Server(configuration(app, limits, grace), said)
    server.run(sockets=[place])
    if not server.started:
        raise StudyError("the service could not start: the lines above say why")


KEPT = 20  # seconds without a request; what closes before its client does may cost it a request

# Warnings are of what strangers send: they would fill the log as fast as those can.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


def configuration(app: FastAPI, limits: Limits, grace: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=TimedHeads,
        ws="none",
        log_level="error",
        access_log=False,  # /metrics counts them, and nobody's address is kept
        server_header=False,
        timeout_keep_alive=KEPT,
        limit_concurrency=CONNECTIONS * limits.requests,
        timeout_graceful_shutdown=grace,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, said: str) -> None:
        super().__init__(config)
        self._said = said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"serve: {self._said}", flush=True)
