"""The proxy that the environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

Upper or lower case, read as Python's urllib.request reads them; on macOS also the system's own. A
user name and a password in them go to the proxy and into no text.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from stages.errors import StudyError


@dataclass(frozen=True)
class Proxy:
    """`url` may be printed; `credentials`, "user:password" or nothing, may not."""

    url: str
    credentials: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.url

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy alone is told."""
        if not self.credentials:
            return {}
        word = base64.b64encode(self.credentials.encode()).decode()
        return {"Proxy-Authorization": f"Basic {word}"}


def proxy_for(place: Url) -> Proxy | None:
    """The proxy for a URL, or none. Raises StudyError where the environment names no usable one."""
    proxies = getproxies()
    named = proxies.get(place.scheme) or proxies.get("all")
    if not named or proxy_bypass(place.netloc):
        return None
    try:
        proxy = parse_url(named if "://" in named else f"http://{named}")
    except (LocationParseError, ValueError):
        proxy = Url()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise StudyError(
            f"{place.scheme.upper()}_PROXY or ALL_PROXY names no proxy of http:// or https://: "
            "correct it, or take it away"
        )
    bare = Url(proxy.scheme, host=proxy.host, port=proxy.port)
    return Proxy(bare.url, unquote(proxy.auth or ""))


def without_password(text: str) -> str:
    """A text in which no URL has a user name and a password."""
    return re.sub(r"://[^/\s]*@", "://", text)
