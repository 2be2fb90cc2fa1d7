"""What the service counts and times, for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

disable_created_metrics()  # half of all lines, and of no use to Prometheus by default

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Of one application: another one in the same process counts for itself."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        about = {"namespace": "vitoon", "registry": self._registry}
        self.requests = Counter("requests", "Requests answered", ("route", "status"), **about)
        self.seconds = Histogram(
            "request_seconds",
            "From the head of a request to the end of its answer",
            ("route",),
            buckets=SECONDS,
            **about,
        )
        self.in_flight = Gauge("requests_in_flight", "Requests not answered yet", **about)
        self.pictures = Counter(
            "pictures", "Pictures by what became of them", ("outcome",), **about
        )
        self.waiting = Gauge("pictures_waiting", "Pictures taken in and not answered yet", **about)
        self.decoding = Histogram(
            "decode_seconds",
            "One picture, with its wait for a process",
            buckets=SECONDS,
            **about,
        )
        self.inference = Histogram(
            "inference_seconds",
            "The pictures of one request, with their wait for a thread",
            buckets=SECONDS,
            **about,
        )

    def text(self) -> bytes:
        """In Prometheus's text format 0.0.4."""
        return generate_latest(self._registry)


class Counted:
    """ASGI middleware: requests by route and status, `other` for paths that are no route."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: set[str]) -> None:
        self._app, self._metrics, self._routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        status, started = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noted)
            finally:
                self._metrics.requests.labels(route, str(status)).inc()
                self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
