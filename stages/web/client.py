"""An HTTP client that a company would let run: it limits itself, says who it is, and can wait.

    answer = Client(params.scrape.download).get("https://example.org/cat.png")

It fetches from public addresses only, again at each redirect (`addresses`, `connections`). Time,
bytes, redirects, tries and connections per host are limited. Proxy variables of the environment
are ignored: a proxy looks names up itself, so that what was checked is not what is reached.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import urllib3
from urllib3 import exceptions as faults
from urllib3.util import Timeout, Url, parse_url

from stages.params import Download
from stages.web import addresses, connections

AGAIN = {408, 429, 500, 502, 503, 504}
REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 5
MAX_URL = 8192  # characters
FIRST_PAUSE = 0.5  # seconds; twice as long each time
LONGEST_PAUSE = 60.0  # who asks for more (Retry-After) is not asked again
PIECE = 1 << 16
OF_ONE_HOST = {"Authorization", "Cookie", "Referer"}  # not for whom a redirect leads to


class Refusal(Exception):  # noqa: N818, an answer too, which callers count
    """No answer that can be used: `reason` is one word for the metrics, the text a sentence.

    Reasons: bad_url, not_public, no_such_host, connection, time_out, too_slow, too_large,
    too_many_redirects, certificate, bad_answer.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class _Passing(Refusal):
    """A refusal that may be over at the next try."""


@dataclass(frozen=True)
class Response:
    """What a server said in the end, whatever the status. `url` is the last of the redirects.

    `headers` finds names in any case; what came several times `headers.getlist(name)` gives apart.
    """

    status: int
    headers: urllib3.HTTPHeaderDict
    url: str
    body: bytes


class _Host:
    """What one host is spared: more connections than its share, and requests while it rests."""

    def __init__(self, connections: int) -> None:
        self.share = threading.BoundedSemaphore(connections)
        self.rests_until = 0.0

    def rest(self, seconds: float) -> None:
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    def wait(self) -> None:
        while (left := self.rests_until - time.monotonic()) > 0:
            time.sleep(left)


class Client:
    """Shared by threads: what is limited per host is limited for all of them together."""

    def __init__(self, settings: Download) -> None:
        self._settings = settings
        self._pools = connections.manager(settings.connections_per_host)
        self._hosts: dict[str, _Host] = defaultdict(lambda: _Host(settings.connections_per_host))
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        follow: bool = True,
        permit: Callable[[str], None] | None = None,
    ) -> Response:
        """Fetch a URL, after redirects unless `follow` is false. Raises Refusal.

        An answer of any status is a Response; one of 408, 429, 5xx only when more tries gave no
        other. `headers` are added to ours, or replace them. `permit` is called with each URL
        before it is asked, those of redirects too, and raises Refusal where it says no.
        """
        own = {"User-Agent": self._settings.user_agent, "Accept-Encoding": "gzip"}
        own |= {name.title(): value for name, value in (headers or {}).items()}
        place = _parsed(url)
        for _ in range(MAX_REDIRECTS + 1):
            if permit:
                permit(place.url)
            answer = self._tried(place, own)
            target = answer.headers.get("location") if answer.status in REDIRECTS else None
            if not follow or target is None:
                return answer
            before, place = place, _parsed(urljoin(place.url, _location(target)))
            if (before.scheme, before.netloc) != (place.scheme, place.netloc):
                own = {name: value for name, value in own.items() if name not in OF_ONE_HOST}
        raise Refusal("too_many_redirects", f"{url} leads to more than {MAX_REDIRECTS} others")

    def close(self) -> None:
        self._pools.clear()

    def _tried(self, place: Url, headers: Mapping[str, str]) -> Response:
        """One URL, again after a pause where that may help."""
        with self._lock:
            host = self._hosts[place.host]
        for number in range(self._settings.retries + 1):
            last = number == self._settings.retries
            # Full jitter: threads that failed together do not come back together.
            pause = FIRST_PAUSE * 2**number * (0.5 + random.random())  # noqa: S311
            with host.share:
                host.wait()
                try:
                    answer = self._once(place, headers)
                except _Passing:
                    if last:
                        raise
                    time.sleep(min(pause, LONGEST_PAUSE))
                    continue
                if answer.status not in AGAIN or last:
                    return answer
                asked = retry_after(answer.headers.get("retry-after"))
                if asked > LONGEST_PAUSE:
                    return answer
                host.rest(min(max(asked, pause), LONGEST_PAUSE))
        raise AssertionError("the last try returns or raises")

    def _once(self, place: Url, headers: Mapping[str, str]) -> Response:
        settings = self._settings
        connections.attempt.start(settings.total_timeout, settings.read_timeout)
        answer = None
        try:
            answer = self._pools.urlopen(
                "GET",
                place.url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=Timeout(settings.connect_timeout, settings.read_timeout),
            )
            body = b"" if answer.status in REDIRECTS else self._body(answer, place.url)
            return Response(answer.status, answer.headers, place.url, body)
        except (addresses.NotPublic, faults.HTTPError, OSError, ValueError) as error:
            raise _refusal(error, place) from error
        finally:
            if answer is not None and not answer.isclosed():
                answer.close()  # what is left would be read by the next request
            elif answer is not None:
                answer.release_conn()

    def _body(self, answer: urllib3.BaseHTTPResponse, url: str) -> bytes:
        """Unpacked, piece by piece: a header may lie and a few bytes may unpack to gigabytes."""
        limit = self._settings.max_megabytes * 1_000_000
        announced = answer.headers.get("content-length", "")
        pieces, size = [], int(announced) if announced.isdecimal() else 0
        if size <= limit:
            size = 0
            while piece := answer.read1(PIECE):
                size += len(piece)
                if size > limit:
                    break
                pieces.append(piece)
        if size > limit:
            raise Refusal("too_large", f"{url} has more than {limit} bytes")
        return b"".join(pieces)


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
        raise Refusal("bad_url", f"{url[:200]!a} {fault}")
    return place._replace(fragment=None)


def _location(header: str) -> str:
    """A redirect's target: http.client read it as Latin-1, servers mean UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def retry_after(header: str | None) -> float:
    """Seconds that a server asks for, as a number or a date; 0 where it says nothing clear."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


def _refusal(error: Exception, place: Url) -> Refusal:
    """A fault in our words. Only the network's own may pass."""
    if isinstance(error, addresses.NotPublic):
        return Refusal("not_public", f"{place.url}: {error}")
    if connections.attempt.left() <= 0:
        return Refusal("too_slow", f"{place.url} was not there when its time was up")
    if isinstance(error, faults.NameResolutionError):
        return Refusal("no_such_host", f"{place.url}: no address is known for {place.host}")
    if isinstance(error, faults.SSLError):
        return Refusal("certificate", f"{place.url}: {error}")
    late = isinstance(error, (faults.TimeoutError, TimeoutError))
    if late and not isinstance(error, faults.NewConnectionError):  # which urllib3 derives from it
        return _Passing("time_out", f"{place.url} does not answer")
    if isinstance(error, (faults.NewConnectionError, faults.ProtocolError, OSError)):
        return _Passing("connection", f"{place.url}: the connection failed ({error})")
    return Refusal("bad_answer", f"{place.url}: {error}")
