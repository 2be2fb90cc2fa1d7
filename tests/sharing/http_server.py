"""A WebDAV or S3 server on loopback that fails as it is told to.

    python -m tests.sharing.http_server webdav FOLDER FAULT

It prints its port. WebDAV (WsgiDAV) keeps files in FOLDER; S3 (moto) keeps them in memory, in a
bucket of the folder's name. The file FAULT says what fails, if it is there: see `Faulty`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from cheroot import wsgi

ANSWERS = {403: "Forbidden", 503: "Slow Down", 507: "Insufficient Storage"}


class Faulty:
    """A WSGI program that answers as another does until the file of the fault is there.

    Of the fault's `methods` the first `spared` requests pass; each later one is answered with
    `status`, or, where that is 0, kills the server (SIGKILL) when a part of its body is read, or
    of its answer is sent.
    """

    def __init__(self, app: Callable, file: Path) -> None:
        self.app, self.file = app, file
        self.counted, self.lock = 0, threading.Lock()

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        fault = json.loads(self.file.read_bytes()) if self.file.exists() else None
        if fault is None:
            self.counted = 0
        elif environ["REQUEST_METHOD"] in fault["methods"] and self._beyond(fault["spared"]):
            if status := fault["status"]:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response(f"{status} {ANSWERS[status]}", [("Content-Length", "0")])
                return []
            if environ["REQUEST_METHOD"] == "GET":
                return self._half(self.app(environ, start_response))
            environ["wsgi.input"] = Half(environ["wsgi.input"])
        return self.app(environ, start_response)

    def _beyond(self, spared: int) -> bool:
        with self.lock:
            self.counted += 1
            return self.counted > spared

    def _half(self, answer: Iterable[bytes]) -> Iterable[bytes]:
        for part in answer:
            yield part[: len(part) // 2]
            die()


class Half:
    """The body of a request whose server does not live to read its end."""

    def __init__(self, body) -> None:
        self.body, self.reads = body, 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > 1:
            die()
        return self.body.read(1000)

    def __getattr__(self, name: str):
        return getattr(self.body, name)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def webdav(folder: Path) -> Callable:
    from wsgidav.wsgidav_app import WsgiDAVApp

    anyone = {"*": True}
    return WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": anyone},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )


def s3(folder: Path) -> Callable:
    from moto.server import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


if __name__ == "__main__":
    kind, folder, fault = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    app = {"webdav": webdav, "s3": s3}[kind](folder)
    server = wsgi.Server(("127.0.0.1", 0), Faulty(app, fault), numthreads=8)
    server.prepare()
    print(server.bind_addr[1], flush=True)
    server.serve()
