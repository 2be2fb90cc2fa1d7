"""urllib3's connections, which go to checked addresses or a proxy and end when their time is up.

urllib3 limits the wait for one piece of an answer; a server that sends a byte a second, of the
body or of the header, would hold a thread for ever. Here every read of the socket also ends with
the attempt.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from pathlib import Path

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from stages.errors import StudyError
from stages.web import addresses
from stages.web.proxies import Proxy

POOLS = 64  # hosts whose connections are kept open for the next request
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class Attempt(threading.local):
    """One request of this thread: when it has to be over, how long a wait may be, and where to."""

    ends = float("inf")
    wait: float | None = None
    public = True  # none but public addresses, unless it is the proxy's

    def start(self, total: float, wait: float, public: bool) -> None:
        self.ends, self.wait, self.public = time.monotonic() + total, wait, public

    def left(self) -> float:
        return self.ends - time.monotonic()


attempt = Attempt()


class _Limited:
    """A socket whose every read ends with the attempt."""

    def recv(self, *words: object, **options: object) -> bytes:
        self._limit()
        return super().recv(*words, **options)

    def recv_into(self, *words: object, **options: object) -> int:
        self._limit()
        return super().recv_into(*words, **options)

    def _limit(self) -> None:
        left = attempt.left()
        if left <= 0:
            raise TimeoutError("the attempt's time is up")
        self.settimeout(left if attempt.wait is None else min(left, attempt.wait))


class _Socket(_Limited, socket.socket):
    pass


class _TlsSocket(_Limited, ssl.SSLSocket):
    pass


class _Checked:
    """A connection to an address that was looked up and checked in the same step.

    TLS and the Host header still have the name: urllib3 takes both from `self.host`, which is the
    proxy's where there is one. The user chose it, so it may be private.
    """

    def _new_conn(self) -> socket.socket:
        public = attempt.public and self.proxy is None
        try:
            found = addresses.resolve(self.host, self.port, public=public)
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


class Pools:
    """Open connections, by host: direct ones, and those through a proxy."""

    def __init__(self, connections_per_host: int) -> None:
        self._context = trust()
        self._per_host = connections_per_host
        self._managers: dict[Proxy | None, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def through(self, proxy: Proxy | None) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = self._manager(proxy)
            return self._managers[proxy]

    def clear(self) -> None:
        for manager in self._managers.values():
            manager.clear()

    def _manager(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy is None:
            pools = urllib3.PoolManager(POOLS, maxsize=self._per_host, ssl_context=self._context)
        else:
            pools = urllib3.ProxyManager(
                proxy.url,
                POOLS,
                proxy_headers=proxy.headers,
                proxy_ssl_context=self._context,
                ssl_context=self._context,
                maxsize=POOLS,  # what goes to all hosts of http goes to the one proxy
            )
        pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return pools


def trust() -> ssl.SSLContext:
    """Whose certificates are believed: those of the variables, else the system's.

    SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own; REQUESTS_CA_BUNDLE, which pip reads, is a file
    or a folder. Raises StudyError where one of the files cannot be read.
    """
    name = next((name for name in BUNDLES if os.environ.get(name)), "")
    bundle = os.environ.get(name)
    kind = "capath" if bundle and Path(bundle).is_dir() else "cafile"
    try:
        context = ssl.create_default_context(**{kind: bundle})
    except OSError as error:
        raise StudyError(
            f"{name} names {bundle}, which cannot be read as certificates ({error}): "
            "correct it, or take it away"
        ) from None
    if name == "SSL_CERT_FILE" and (folder := ssl.get_default_verify_paths().capath):
        context.load_verify_locations(capath=folder)  # OpenSSL reads both
    context.sslsocket_class = _TlsSocket
    return context
