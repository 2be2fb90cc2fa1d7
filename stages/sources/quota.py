"""How many pictures a class still needs, told by what has come and by what is on its way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping

from stages.sources import scratch

EARLIER = """UPDATE first SET number = :number
    WHERE class = :class AND sha256 = :sha256 AND number > :number"""
BEFORE = "SELECT count(*) AS n FROM first WHERE class = ? AND number < ?"


class Quota:
    """How many different pictures each class has, by which candidates, and what is on its way.

    `known` are pictures that make up for none that is missing.
    """

    def __init__(self, wanted: Mapping[str, int], known: Collection[str] = ()) -> None:
        self.wanted, self.known = wanted, frozenset(known)
        self._there: Counter = Counter()
        self._first = scratch.database(
            "CREATE TABLE first (class, sha256, number, PRIMARY KEY (class, sha256)) WITHOUT ROWID"
        )
        self._expected: Counter = Counter()
        self._changed = threading.Condition()

    def expect(self, class_name: str, candidates: int) -> None:
        """So many are given to the downloader."""
        with self._changed:
            self._expected[class_name] += candidates

    def settle(self, class_name: str, sha256: str, number: int) -> None:
        """One of them is a picture, or is none."""
        with self._changed:
            self._expected[class_name] -= 1
            if sha256 and sha256 not in self.known:
                row = {"class": class_name, "sha256": sha256, "number": number}
                if scratch.insert(self._first, "first", row):
                    self._there[class_name] += 1
                else:
                    self._first.execute(EARLIER, row)
            self._changed.notify_all()

    def full(self, class_name: str, before: float = float("inf")) -> bool:
        """Whether a class has all it needs, from candidates before that number."""
        wanted = self.wanted[class_name]
        with self._changed:
            if self._there[class_name] < wanted:
                return False
            return self._first.execute(BEFORE, (class_name, before)).fetchone()["n"] >= wanted

    def room(self, class_name: str) -> int:
        """How many more candidates a class needs if all that are on their way are good."""
        with self._changed:
            there = self._there[class_name] + self._expected[class_name]
            return max(0, self.wanted[class_name] - there)

    def wait(self, seconds: float) -> None:
        """Until one more candidate is settled, or the time is over."""
        with self._changed:
            self._changed.wait(seconds)
