"""urllib3's connections, which go to checked addresses only and end when their time is up.

urllib3 limits the wait for one piece of an answer; a server that sends a byte a second, of the
body or of the header, would hold a thread for ever. Here every read of the socket also ends with
the attempt.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from stages.web import addresses

POOLS = 64  # hosts whose connections are kept open for the next request


class Attempt(threading.local):
    """One request of this thread: when it has to be over, and how long one wait may be."""

    ends = float("inf")
    wait: float | None = None

    def start(self, total: float, wait: float) -> None:
        self.ends, self.wait = time.monotonic() + total, wait

    def left(self) -> float:
        return self.ends - time.monotonic()


attempt = Attempt()


class _Limited:
    """A socket whose every read ends with the attempt."""

    def recv_into(self, *words: object, **options: object) -> int:
        left = attempt.left()
        if left <= 0:
            raise TimeoutError("the attempt's time is up")
        self.settimeout(left if attempt.wait is None else min(left, attempt.wait))
        return super().recv_into(*words, **options)


class _Socket(_Limited, socket.socket):
    pass


class _TlsSocket(_Limited, ssl.SSLSocket):
    pass


class _Checked:
    """A connection to an address that was looked up and checked in the same step.

    TLS and the Host header still have the name: urllib3 takes both from `self.host`.
    """

    def _new_conn(self) -> socket.socket:
        try:
            found = addresses.resolve(self.host, self.port)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error
        fault: OSError | None = None
        for family, kind, protocol, _, place in found:
            sock = _Socket(family, kind, protocol)
            try:
                sock.settimeout(max(0.001, min(self.timeout, attempt.left())))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(place)
                return sock
            except OSError as error:
                sock.close()
                fault = error
        if isinstance(fault, TimeoutError):
            raise ConnectTimeoutError(self, f"{self.host} does not answer") from fault
        raise NewConnectionError(self, f"{self.host}: {fault}") from fault


class _Plain(_Checked, HTTPConnection):
    pass


class _Tls(_Checked, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Tls


def manager(connections_per_host: int) -> urllib3.PoolManager:
    """Open connections by host. Proxy variables have no say: a proxy looks names up itself."""
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    pools = urllib3.PoolManager(POOLS, maxsize=connections_per_host, ssl_context=context)
    pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return pools
