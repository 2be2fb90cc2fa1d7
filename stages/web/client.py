"""An HTTP client that a company would let run: it limits itself, says who it is, and can wait.

    answer = Client(params.scrape.download).get("https://example.org/cat.png")

It fetches from public addresses only, again at each redirect (`addresses`, `connections`), through
the proxy that the environment names, where it names one (`proxies`). Time, bytes, redirects, tries
and connections per host are limited.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from urllib.parse import urljoin

import urllib3
from urllib3 import exceptions as faults
from urllib3.util import Timeout, Url, parse_url

from stages.params import Download
from stages.web import addresses, backoff, connections, proxies, refusals
from stages.web.backoff import Host
from stages.web.proxies import Proxy
from stages.web.refusals import Passing, Refusal

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 5
MAX_URL = 8192  # characters
PIECE = 1 << 16
OF_ONE_HOST = {"Authorization", "Cookie", "Referer"}  # not for whom a redirect leads to


@dataclass(frozen=True)
class Limits:
    """What a client keeps to where params.yaml has no say: times in seconds, as in `Download`."""

    user_agent: str
    connections_per_host: int
    connect_timeout: float
    read_timeout: float
    total_timeout: float
    max_megabytes: int
    retries: int


@dataclass(frozen=True)
class Response:
    """What a server said in the end, whatever the status. `url` is the last of the redirects.

    `headers` finds names in any case; what came several times `headers.getlist(name)` gives apart.
    """

    status: int
    headers: urllib3.HTTPHeaderDict
    url: str
    body: bytes
    proxy: Proxy | None = None


class Receiver(Protocol):
    """Where a body goes. Each try asks for the headers anew and gives what it gets."""

    def headers(self) -> Mapping[str, str]: ...

    def take(
        self,
        status: int,
        headers: urllib3.HTTPHeaderDict,
        pieces: Callable[[int], Iterator[bytes]],
    ) -> bytes:
        """The response's body. `pieces(n)` is what comes, where n bytes were there before."""


class Memory:
    """The receiver of what is wanted as bytes."""

    def headers(self) -> Mapping[str, str]:
        return {}

    def take(
        self, _: int, __: urllib3.HTTPHeaderDict, pieces: Callable[[int], Iterator[bytes]]
    ) -> bytes:
        return b"".join(pieces(0))


class Client:
    """Shared by threads: what is limited per host is limited for all of them together.

    `allow_private` lets it reach addresses that are not public: for what the user alone has named.
    """

    def __init__(self, limits: Download | Limits, *, allow_private: bool = False) -> None:
        self._limits, self._public = limits, not allow_private
        self._pools = connections.Pools(limits.connections_per_host)
        self._hosts: dict[str, Host] = defaultdict(lambda: Host(limits.connections_per_host))
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        follow: bool = True,
        permit: Callable[[str], None] | None = None,
        into: Receiver | None = None,
    ) -> Response:
        """Fetch a URL, after redirects unless `follow` is false. Raises Refusal.

        An answer of any status is a Response; one of 408, 429, 5xx only when more tries gave no
        other. `headers` are added to ours, or replace them. `permit` is called with each URL
        before it is asked, those of redirects too, and raises Refusal where it says no.
        """
        own = {"User-Agent": self._limits.user_agent, "Accept-Encoding": "gzip"}
        own |= {name.title(): value for name, value in (headers or {}).items()}
        place = _parsed(url)
        for _ in range(MAX_REDIRECTS + 1):
            if permit:
                permit(place.url)
            answer = self._tried(place, own, into or Memory())
            target = answer.headers.get("location") if answer.status in REDIRECTS else None
            if not follow or target is None:
                return answer
            before, place = place, _parsed(urljoin(place.url, _location(target)))
            if (before.scheme, before.netloc) != (place.scheme, place.netloc):
                own = {name: value for name, value in own.items() if name not in OF_ONE_HOST}
        raise Refusal("too_many_redirects", f"it leads to more than {MAX_REDIRECTS} others", url)

    def close(self) -> None:
        self._pools.clear()

    def _tried(self, place: Url, headers: Mapping[str, str], into: Receiver) -> Response:
        """One URL, again after a pause where that may help."""
        with self._lock:
            host = self._hosts[place.host]
        for number in range(self._limits.retries + 1):
            last = number == self._limits.retries
            pause = backoff.pause(number)
            with host.share:
                host.wait()
                try:
                    answer = self._once(place, host, headers, into)
                except Passing:
                    if last:
                        raise
                    time.sleep(pause)
                    continue
                if answer.status not in backoff.AGAIN or last:
                    return answer
                asked = backoff.retry_after(answer.headers.get("retry-after"))
                if asked > backoff.LONGEST_PAUSE:
                    return answer
                host.rest(max(asked, pause))
        raise AssertionError("the last try returns or raises")

    def _once(self, place: Url, host: Host, headers: Mapping[str, str], into: Receiver) -> Response:
        limits, proxy = self._limits, proxies.proxy_for(place)
        answer = None
        try:
            connections.attempt.start(limits.total_timeout, limits.read_timeout, self._public)
            with _in_our_words(place, proxy):
                if proxy and self._public and not host.checked:
                    addresses.check_for_proxy(place.host, place.port or 0)
                    host.checked = True
                answer = self._pools.through(proxy).urlopen(
                    "GET",
                    place.url,
                    headers={**headers, **into.headers()},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    timeout=Timeout(limits.connect_timeout, limits.read_timeout),
                )
            if proxy and answer.status == 407:  # for http; CONNECT fails with it
                raise refusals.of_proxy(407, place.url, proxy)
            body = b""
            if answer.status not in REDIRECTS:
                pieces = partial(self._pieces, answer, place, proxy)
                body = into.take(answer.status, answer.headers, pieces)
            return Response(answer.status, answer.headers, place.url, body, proxy)
        finally:
            if answer is not None and not answer.isclosed():
                answer.close()  # what is left would be read by the next request
            elif answer is not None:
                answer.release_conn()

    def _pieces(
        self, answer: urllib3.BaseHTTPResponse, place: Url, proxy: Proxy | None, size: int
    ) -> Iterator[bytes]:
        """Unpacked, piece by piece: a header may lie and a few bytes may unpack to gigabytes."""
        limit = self._limits.max_megabytes * 1_000_000
        announced = answer.headers.get("content-length", "")
        larger = size + int(announced) > limit if announced.isdecimal() else False
        while not larger:
            with _in_our_words(place, proxy):
                piece = answer.read1(PIECE)
            if not piece:
                return
            size += len(piece)
            larger = size > limit
            if not larger:
                yield piece
        raise Refusal("too_large", f"it is larger than {limit:,} bytes", place.url)


@contextmanager
def _in_our_words(place: Url, proxy: Proxy | None) -> Iterator[None]:
    """What the network does wrong is raised as a Refusal."""
    try:
        yield
    except (addresses.NotPublic, faults.HTTPError, OSError, ValueError) as error:
        late = connections.attempt.left() <= 0
        raise refusals.in_our_words(error, place, proxy, late) from error


def _parsed(url: str) -> Url:
    """The parts of a URL, as they are connected to. Raises Refusal where it is none of the web."""
    try:
        place = parse_url(url.strip())
    except (faults.LocationParseError, ValueError):
        place = Url()
    fault = ""
    if place.scheme not in ("http", "https") or not place.host:
        fault = "is no URL of http or https"
    elif place.auth:
        fault = "has a user name in it"
    elif len(url) > MAX_URL:
        fault = f"has more than {MAX_URL} characters"
    if fault:
        raise Refusal("bad_url", f"{proxies.without_password(url[:200])!a} {fault}")
    return place._replace(fragment=None)


def _location(header: str) -> str:
    """A redirect's target: http.client read it as Latin-1, servers mean UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
