"""A WebDAV or S3 server on loopback that fails when it is told to.

    python tests/sharing/http_server.py webdav PORT FOLDER FAULT

WebDAV (WsgiDAV) keeps files in FOLDER and wants `ann` with `secret`; S3 (moto) keeps them in memory
and takes anybody. The file FAULT, where it is there, says what fails: see `Faulty`.
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

ANSWERS = {403: "Forbidden", 507: "Insufficient Storage"}


class Faulty:
    """A WSGI program that answers as another does, unless there is a fault.

    Of the fault's `methods` the first `spared` requests pass; each later one is answered with
    `status`, or kills the server (SIGKILL): at once, or where `half` is true with half of the body
    read.
    """

    def __init__(self, app: Callable, file: Path) -> None:
        self.app, self.file = app, file
        self.count, self.lock = 0, threading.Lock()

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        fault = json.loads(self.file.read_bytes()) if self.file.exists() else None
        if not fault or environ["REQUEST_METHOD"] not in fault["methods"]:
            return self.app(environ, start_response)
        with self.lock:
            self.count += 1
        if self.count <= fault["spared"]:
            return self.app(environ, start_response)
        if fault["half"]:
            environ["wsgi.input"] = Half(environ["wsgi.input"])
            return self.app(environ, start_response)
        if fault["status"] is None:
            die()
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(f"{fault['status']} {ANSWERS[fault['status']]}", [("Content-Length", "0")])
        return []


class Half:
    """The body of a request whose server does not live to read its end."""

    def __init__(self, body) -> None:
        self.body, self.half_read = body, False

    def read(self, size: int) -> bytes:
        if self.half_read:
            die()
        self.half_read = True
        return self.body.read(size // 2)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def webdav(folder: Path) -> Callable:
    from wsgidav.wsgidav_app import WsgiDAVApp

    return WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": {"*": {"ann": {"password": "secret"}}}},
            "logging": {"enable": False},
        }
    )


def s3(_folder: Path) -> Callable:
    from moto.server import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


if __name__ == "__main__":
    kind, port, folder, fault = sys.argv[1], int(sys.argv[2]), *map(Path, sys.argv[3:])
    app = {"webdav": webdav, "s3": s3}[kind](folder)
    wsgi.Server(("127.0.0.1", port), Faulty(app, fault), numthreads=8).start()
