"""Who may ask: a page of another site may not, through the browser of whoever runs the demo."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving.refusals import RefusedError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class OwnPageOnly:
    """ASGI middleware: refuses other origins, and on loopback every other name of this machine.

    A name of another's that points to 127.0.0.1 would make its pages of one origin with the demo
    (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app, self._loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._permitted(Headers(scope=scope)):
            await self._app(scope, receive, with_headers)
        else:
            refused = RefusedError(
                403, "other_site", "this is no request of the demo's own page", "open that page"
            )
            await refused.response()(scope, receive, with_headers)

    def _permitted(self, headers: Headers) -> bool:
        host = headers.get("host", "")
        try:
            origin, name = urlsplit(headers.get("origin", "")), urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        own = "origin" not in headers or origin.netloc == host
        return own and (not self._loopback or name in LOOPBACK)
