"""A real proxy (proxy.py) on loopback, in its own process, which writes down what it is asked.

    with proxy_server.running(folder) as proxy:
        proxy.url, proxy.asked()

It knows the names of tests/web/resolver, and refuses the host forbidden.example with status 403.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from proxy.http.exception import HttpRequestRejected
from proxy.http.proxy import HttpProxyBasePlugin

TESTS = Path(__file__).parents[1]
ASKED = "VITOON_TEST_ASKED"


class Doorkeeper(HttpProxyBasePlugin):
    """One of each connection to the proxy."""

    noted = None

    def before_upstream_connection(self, request):
        self.note(request)
        if request.host == b"forbidden.example":
            raise HttpRequestRejected(status_code=403, reason=b"Forbidden")
        return request

    def handle_client_request(self, request):
        if self.noted is not request:  # a further one of the same connection
            self.note(request)
        return request

    def note(self, request):
        self.noted = request
        with open(os.environ[ASKED], "a") as book:
            book.write(f"{request.method.decode()} {request.host.decode()}:{request.port}\n")


@dataclass(frozen=True)
class Proxy:
    address: str
    book: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}"

    def asked(self) -> list[str]:
        return self.book.read_text().splitlines() if self.book.exists() else []


@contextlib.contextmanager
def running(folder: Path, *options: str):
    """A proxy process for as long as the block lasts."""
    port, book = folder / "proxy-port", folder / "proxy-asked"
    names = os.pathsep.join([str(TESTS.parent), str(TESTS / "web/resolver")])
    environment = {**os.environ, "PYTHONPATH": names, "HOME": str(folder), ASKED: str(book)}
    command = [
        *(sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"),
        *("--port-file", str(port), "--num-acceptors", "1", "--num-workers", "1"),
        *("--plugins", "tests.web.proxy_server.Doorkeeper", "--log-level", "w", *options),
    ]
    with (folder / "proxy-log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 20
        while not (port.exists() and port.read_text().strip()):
            assert process.poll() is None, (folder / "proxy-log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        scheme = "https" if "--cert-file" in options else "http"
        yield Proxy(f"127.0.0.1:{int(port.read_text())}", book, scheme)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its acceptors and workers too
        process.wait()
