"""Why there is no answer: one word for the metrics, and a sentence that names the proxy in use."""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from urllib.parse import urlsplit

from urllib3 import exceptions as faults
from urllib3.util import Url

from stages.web import addresses
from stages.web.backoff import AGAIN
from stages.web.proxies import Proxy

# Of http.client, which has no other way to tell what a proxy said to CONNECT.
TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


class Refusal(Exception):  # noqa: N818, an answer too, which callers count
    """No answer that can be used: `reason` is one word, `what` a sentence, the text has the URL.

    Reasons: bad_url, not_public, not_encrypted, no_such_host, connection, time_out, too_slow,
    too_large, too_many_redirects, certificate, bad_answer; proxy where the proxy itself cannot be
    reached, and proxy_407 or another status where it says no.
    """

    def __init__(self, reason: str, what: str, url: str = "") -> None:
        super().__init__(f"{url}: {what}" if url else what)
        self.reason, self.what = reason, what


class Passing(Refusal):
    """A refusal that may be over at the next try."""


_told: set[str] = set()


def tell_of_proxy(refusal: Refusal, url: str) -> None:
    """Print that a proxy stands in the way, once: a reason of one word does not name it."""
    if refusal.reason.startswith("proxy") and refusal.what not in _told:
        _told.add(refusal.what)
        print(f"{urlsplit(url).hostname}: {refusal.what}", file=sys.stderr, flush=True)


def of_proxy(status: int, url: str, proxy: Proxy) -> Refusal:
    """A proxy's own status, which is none of the host's."""
    kind = Passing if status in AGAIN else Refusal
    return kind(f"proxy_{status}", f"the proxy {proxy} answers {status_line(status)}", url)


def status_line(status: int) -> str:
    """A status and its name, as 404 Not Found."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def in_our_words(error: Exception, place: Url, proxy: Proxy | None, late: bool) -> Refusal:
    """A fault of a try. Only the network's own may pass; `late`: the try's time is up."""
    through = f" through the proxy {proxy}" if proxy else ""
    if isinstance(error, addresses.NotPublic):
        return Refusal("not_public", str(error), place.url)
    if late:
        return Refusal("too_slow", f"it was not there when its time was up{through}", place.url)
    if proxy and (said := TUNNEL.search(str(error))):
        return of_proxy(int(said[1]), place.url, proxy)
    if isinstance(error, faults.ProxyError):
        kind = Refusal if isinstance(error.original_error, faults.SSLError) else Passing
        what = f"the proxy {proxy} cannot be reached ({_cause(error.original_error)})"
        return kind("proxy", what, place.url)
    if isinstance(error, faults.NameResolutionError):
        return Refusal("no_such_host", f"no address is known for {place.host}", place.url)
    if isinstance(error, faults.SSLError):
        remedy = "SSL_CERT_FILE names the file of a network's own authority"
        return Refusal("certificate", f"{error}{through}: {remedy}", place.url)
    slow = isinstance(error, (faults.TimeoutError, TimeoutError))
    if slow and not isinstance(error, faults.NewConnectionError):  # which urllib3 derives from it
        return Passing("time_out", f"it does not answer{through}", place.url)
    if isinstance(error, (faults.NewConnectionError, faults.ProtocolError, OSError)):
        return Passing("connection", f"the connection{through} failed ({_cause(error)})", place.url)
    return Refusal("bad_answer", f"{error}{through}", place.url)


def _cause(error: Exception) -> object:
    """What the system said, without urllib3's own words around it."""
    cause = error.__cause__ or error
    return getattr(cause, "strerror", None) or cause
