"""The service on loopback, with limits that a test reaches, and what strangers send to it."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import urllib3
import uvicorn
from PIL import Image

from app.prediction.model import load
from app.serving.application import application
from app.serving.decoders import Decoders
from app.serving.predictor import Work
from app.serving.running import configuration
from app.serving.uploads import Limits
from tests.app.made_model import write_model

ENDLESS = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><filter id="f">
<feTurbulence baseFrequency="0.1" numOctaves="1000000"/></filter>
<rect width="9" height="9" filter="url(#f)"/></svg>"""  # some hours


def png(colour: str, side: int = 20) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


class Service:
    """At an address; answers are parsed, and checked to be JSON."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.url = f"http://{host}:{port}"
        self._pool = urllib3.PoolManager(retries=False, timeout=20)

    def get(self, path: str) -> tuple[int, dict]:
        return self._answer("GET", path)

    def text(self, path: str) -> str:
        return self._pool.request("GET", self.url + path).data.decode()

    def raw(self, data: bytes, query: str = "", kind: str = "image/png") -> tuple[int, dict]:
        return self._answer("POST", f"/predict{query}", body=data, headers={"Content-Type": kind})

    def form(self, files: Mapping[str, bytes], query: str = "") -> tuple[int, dict]:
        parts = [("pictures", (name, data)) for name, data in files.items()]
        return self._answer("POST", f"/predict{query}", fields=parts)

    def connected(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=20)

    def begun(self, length: int, sent: bytes = b"") -> socket.socket:
        """A request that has come as far as this."""
        connection = self.connected()
        head = f"Host: a\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(f"POST /predict HTTP/1.1\r\n{head}".encode() + sent)
        return connection

    def counted(self, line: str) -> float:
        """The value of one line of /metrics."""
        found = [row for row in self.text("/metrics").splitlines() if row.startswith(line + " ")]
        return float(found[0].rpartition(" ")[2]) if found else 0

    def _answer(self, method: str, path: str, **about: object) -> tuple[int, dict]:
        answer = self._pool.request(method, self.url + path, **about)
        return answer.status, json.loads(answer.data)


@contextmanager
def served(
    folder: Path,
    limits: Limits = Limits(),  # noqa: B008, it is frozen
    work: Work = Work(threads=2),  # noqa: B008
    seconds: float = 10,
    workers: int = 1,
    **card: object,
) -> Iterator[Service]:
    """The made-up network in this process, with its decoders in others."""
    model = load(write_model(folder, **card), threads=1)
    app = application(model, limits, work, Decoders(workers, seconds))
    server = uvicorn.Server(configuration(app, limits, grace=5))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as place:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            assert server.started
            yield Service(*place.getsockname())
        finally:
            server.should_exit = True
            thread.join()


def until(happens: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def answered(connection: socket.socket) -> tuple[int, dict, dict]:
    """Status, headers and content of the answer that comes over a connection."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, dict(response.getheaders()), json.loads(response.read())
