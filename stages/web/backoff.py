"""How a host is spared: connections up to its share, and pauses that grow or that it asks for."""

from __future__ import annotations

import random
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

AGAIN = {408, 429, 500, 502, 503, 504}  # statuses that may be others at the next try
FIRST_PAUSE = 0.5  # seconds; twice as long each time
LONGEST_PAUSE = 60.0  # who asks for more (Retry-After) is not asked again


class Host:
    """What one host is spared: more connections than its share, and requests while it rests."""

    def __init__(self, connections: int) -> None:
        self.share = threading.BoundedSemaphore(connections)
        self.rests_until = 0.0
        self.checked = False  # by name, for a proxy that looks it up itself

    def rest(self, seconds: float) -> None:
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    def wait(self) -> None:
        while (left := self.rests_until - time.monotonic()) > 0:
            time.sleep(left)


def pause(number: int) -> float:
    """Seconds after a failed try; full jitter: threads that failed together come back apart."""
    return min(FIRST_PAUSE * 2**number * (0.5 + random.random()), LONGEST_PAUSE)  # noqa: S311


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
