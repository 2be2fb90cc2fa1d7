"""What a client sends, taken in within limits of size, number and time.

`LimitedBodies` stands before an application of Starlette or FastAPI; `uploads` reads the files of
a request inside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import anyio
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving.refusals import OverloadedError, RefusedError

LINGER = 2  # seconds that a refused client has to stop sending, and to read why
RAW = ("image/", "application/octet-stream")
FIELD = "pictures"


@dataclass(frozen=True)
class Limits:
    """For what is sent, in bytes (1 MB = 1,000,000), seconds and numbers."""

    body_bytes: int = 20_000_000  # one request
    body_seconds: float = 20  # from its head to its last byte
    all_bytes: int = 256_000_000  # of all requests that are not answered yet
    requests: int = 256  # that are not answered yet
    pictures: int = 16  # in one request


class LimitedBodies:
    """ASGI middleware: refuses by the head what can be, and the rest while it comes.

    Requests for `paths` are counted: too many are refused. A refusal takes the place of whatever
    the application makes of a body that breaks off.
    """

    def __init__(self, app: ASGIApp, limits: Limits, paths: Collection[str]) -> None:
        self._app, self.limits, self._paths = app, limits, paths
        self.requests = self.bytes = 0  # not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, scope, receive, send)
        counted = scope["path"] in self._paths
        self.requests += counted
        try:
            if counted:
                self._require_room(body)
            await self._app(scope, body.receive, body.send)
        except RefusedError as error:
            body.refusal = error
        except Exception:
            if body.refusal is None:
                raise
        finally:
            self.requests -= counted
            self.bytes -= body.bytes
        if body.refusal is not None and not body.answered:
            await body.refuse()

    def _require_room(self, body: _Body) -> None:
        if self.requests > self.limits.requests:
            raise OverloadedError(f"{self.limits.requests} requests are being answered")
        self.require_size(body.length)

    def require_size(self, count: int) -> None:
        """Raises RefusedError for one body of so many bytes."""
        most = self.limits.body_bytes
        if count > most:
            raise RefusedError(
                413,
                "body_too_large",
                f"a request may have {most / 1e6:g} MB",
                "send fewer pictures in a request, or smaller ones",
            )


class _Body:
    """What one request sends: counted, and no longer waited for than it may take."""

    def __init__(self, owner: LimitedBodies, scope: Scope, receive: Receive, send: Send) -> None:
        self._owner, self._scope, self._receive, self._send = owner, scope, receive, send
        self._deadline = asyncio.get_running_loop().time() + owner.limits.body_seconds
        head = Headers(scope=scope)
        self.length = int(head.get("content-length", 0))  # of digits alone: the server has looked
        self._complete = not self.length and "transfer-encoding" not in head
        self.bytes = 0
        self.answered = False
        self.refusal: RefusedError | None = None

    async def receive(self) -> Message:
        if self._complete:  # what may be waited for is that the client goes away
            return await self._receive()
        try:
            with anyio.fail_after(max(0, self._left())):  # asyncio would make a task for each piece
                message = await self._receive()
            self._count(message)
        except TimeoutError:
            seconds = self._owner.limits.body_seconds
            self.refusal = RefusedError(
                408,
                "body_too_slow",
                f"the request was not complete after {seconds:g} s",
                "send less in one request, or over a faster connection",
            )
        except RefusedError as error:
            self.refusal = error
        if self.refusal is not None:
            raise self.refusal
        return message

    def _count(self, message: Message) -> None:
        count = len(message.get("body", b""))
        self.bytes += count
        self._owner.bytes += count
        self._complete = not message.get("more_body", False)
        self._owner.require_size(self.bytes)
        if self._owner.bytes > self._owner.limits.all_bytes:
            raise OverloadedError("the requests being answered take all the memory they may")

    def _left(self) -> float:
        return self._deadline - asyncio.get_running_loop().time()

    async def send(self, message: Message) -> None:
        """What the application answers, unless its request was refused meanwhile."""
        if self.refusal is None:
            await self._answer(message)

    async def refuse(self) -> None:
        await self.refusal.response()(self._scope, self._receive, self._answer)

    async def _answer(self, message: Message) -> None:
        """Before the request is complete: answer, hear the client out for a while, and close.

        Closed at once, the connection would be reset and the answer lost; left open, uvicorn would
        hear the client out for ever.
        """
        self.answered = True
        if self._complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            closing = (b"connection", b"close")
            await self._send(message | {"headers": [*message["headers"], closing]})
        else:
            await self._send(message | {"more_body": True})
            if not message.get("more_body", False):
                with anyio.move_on_after(min(LINGER, self._left())):
                    await self._drain()
                await self._send({"type": "http.response.body", "body": b""})

    async def _drain(self) -> None:
        left = 2 * self._owner.limits.body_bytes
        complete = False
        while not complete and left > 0:
            message = await self._receive()
            left -= len(message.get("body", b""))
            complete = not message.get("more_body", False)


@dataclass(frozen=True)
class Upload:
    """A file as it came; `name` is what the client calls it, None in a body without names."""

    name: str | None
    data: bytes


async def uploads(request: Request, most: int) -> list[Upload]:
    """The files of a form's field `pictures`, or the body as one file; up to `most`, at least 1.

    Raises RefusedError for anything else, and as `LimitedBodies` does.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            return await _files(request, most)
        if kind.startswith(RAW):
            return [Upload(None, await request.body())]
    except ClientDisconnect:
        raise RefusedError(400, "gone", "the client went away", "send it again") from None
    raise RefusedError(
        415,
        "not_pictures",
        f"the content type is {kind or 'missing'}",
        f"send files as field {FIELD!r} of multipart/form-data, or one file as the body with type "
        "image/* or application/octet-stream",
    )


class _Form(MultiPartParser):
    """A form that knows whether it was whole: python-multipart drops a part without an end."""

    whole = False

    def on_end(self) -> None:
        self.whole = True


async def _files(request: Request, most: int) -> list[Upload]:
    parser = _Form(request.headers, request.stream(), max_files=most, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _bad_form(error.message) from None
    except (LookupError, ValueError) as error:  # of codecs that a head may name
        raise _bad_form(f"{type(error).__name__} in a head") from None
    try:
        parts = form.multi_items()
        if not parser.whole:
            raise _bad_form("it has no end")
        if not parts or {name for name, _ in parts} != {FIELD}:
            raise _bad_form("fields other than files, or no files at all")
        return [Upload(part.filename, await part.read()) for _, part in parts]
    finally:
        await form.close()


def _bad_form(detail: str) -> RefusedError:
    remedy = f"send one or more files, each as a part named {FIELD!r} with a file name"
    return RefusedError(400, "bad_form", f"no form of pictures: {detail}", remedy)
