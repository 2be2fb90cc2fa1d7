"""What the owner of a picture has said: robots.txt (RFC 9309) and the headers that say no."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote_to_bytes, urlsplit

from urllib3 import HTTPHeaderDict

from stages.web.client import Client
from stages.web.refusals import Refusal

OPT_OUTS = {"noai", "noimageai", "noml"}
MAX_ROBOTS = 500 * 1024  # bytes that are read; the least that RFC 9309 asks for
MAX_RULE = 2000  # characters

# Directives of X-Robots-Tag that have a colon themselves: no names of agents.
_WITH_VALUE = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}

Rules = list[tuple[int, bool, Callable[[str], object]]]


def opted_out(headers: HTTPHeaderDict, agent: str) -> bool:
    """Whether an answer's headers keep its picture from training.

    "X-Robots-Tag: noai" speaks to all, "X-Robots-Tag: vitoon: noai" to this agent, and
    "TDM-Reservation: 1" reserves the rights of text and data mining.
    """
    if headers.get("tdm-reservation", "").strip() == "1":
        return True
    said = (header.lower() for header in headers.getlist("x-robots-tag"))
    return any(OPT_OUTS & _said_to(agent.lower(), header) for header in said)


def _said_to(agent: str, header: str) -> set[str]:
    """The directives of one header that are for all or for an agent."""
    spoken_to, directives = "*", set()
    for word in header.split(","):
        name, colon, directive = word.partition(":")
        if colon and name.strip() not in _WITH_VALUE:
            spoken_to, word = name.strip(), directive
        if spoken_to in ("*", agent):
            directives.add(word.strip())
    return directives


class Robots:
    """The rules of every host that is asked, read once."""

    def __init__(self, client: Client, agent: str) -> None:
        self._client, self._agent = client, agent
        self._rules: dict[str, Rules | Refusal] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def require(self, url: str) -> None:
        """Raises Refusal where the host wants this URL left alone."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            lock = self._locks.setdefault(origin, threading.Lock())
        with lock:  # one thread reads, the others wait
            if origin not in self._rules:
                self._rules[origin] = self._read(f"{origin}/robots.txt")
        rules = self._rules[origin]
        if isinstance(rules, Refusal):
            raise Refusal(rules.reason, rules.what, f"{origin}/robots.txt")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if not permitted(rules, path or "/"):
            raise Refusal("robots", f"{origin}/robots.txt does not let us fetch {url}")

    def _read(self, url: str) -> Rules | Refusal:
        """Without a file all is allowed; where the host does not say, nothing is."""
        try:
            answer = self._client.get(url)
        except Refusal as refusal:
            return refusal
        if answer.status >= 500 or answer.status == 429:
            return Refusal("robots_unknown", f"{url}: status {answer.status}")
        if answer.status != 200:
            return []
        return parse(answer.body[:MAX_ROBOTS].decode("utf-8", "replace"), self._agent)


def parse(text: str, agent: str) -> Rules:
    """The rules for an agent: those of its own groups, else those of the groups of `*`."""
    groups: dict[str, Rules] = {}
    names: list[str] = []
    listing = False  # names still come
    for key, value in _lines(text):
        if key == "user-agent":
            name = re.match(r"\*|[a-z_-]*", value.lower())[0]
            names = [*names, name] if listing else [name]
            groups.setdefault(name, [])
            listing = True
        elif key in ("allow", "disallow"):
            listing = False
            if value and len(value) <= MAX_RULE:
                for name in names:
                    groups[name].append((len(value), key == "allow", _pattern(value)))
    return groups.get(agent.lower(), groups.get("*", []))


def _lines(text: str) -> Iterable[tuple[str, str]]:
    for line in text.lstrip("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield key.strip().lower(), value.strip()


def _pattern(rule: str) -> Callable[[str], object]:
    """Whether a path begins as the rule says: `*` stands for anything, `$` for the end."""
    pieces = _plain(rule.removesuffix("$")).split("*")
    end = rule.endswith("$")

    def matches(path: str) -> bool:
        # Piece after piece, each as early as it comes: a regular expression of many stars could
        # take for ever.
        if not path.startswith(pieces[0]):
            return False
        at = len(pieces[0])
        for piece in pieces[1:-1]:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if len(pieces) == 1:
            return not end or at == len(path)
        last = pieces[-1]
        if end:
            return path.endswith(last) and len(path) - len(last) >= at
        return path.find(last, at) >= 0

    return matches


def permitted(rules: Rules, path: str) -> bool:
    """The longest rule that fits decides; of two equally long ones the kinder."""
    path = _plain(path)
    fitting = [(length, allowed) for length, allowed, matches in rules if matches(path)]
    return max(fitting, default=(0, True))[1]


def _plain(path: str) -> str:
    """One form of what can be written with and without %: /a%7Eb is /a~b, /ä is /%C3%A4."""
    return quote(
        unquote_to_bytes(path.replace("%2F", "%252F").replace("%2f", "%252F")), "/*?=&;:@%"
    )
