"""What is asked of the sources for each class, which pictures are taken, why the others not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from sqlite3 import Connection

from stages.params import Class, Scrape

TAKEN = "SELECT class, count(*) AS n FROM pictures WHERE reason = '' GROUP BY class"
TALLY = """SELECT class, reason, 1 AS fetched, count(*) AS n FROM pictures GROUP BY class, reason
    UNION ALL SELECT class, reason, 0, sum(files) FROM missed GROUP BY class, reason"""
REFUSE = """UPDATE pictures SET reason = 'in_two_classes' WHERE sha256 IN
    (SELECT sha256 FROM pictures GROUP BY sha256 HAVING count(DISTINCT class) > 1)"""
TAKE = """UPDATE pictures SET reason = '' WHERE rowid IN
    (SELECT min(rowid) FROM pictures WHERE class = ? AND reason = 'surplus'
    GROUP BY sha256 ORDER BY 1 LIMIT ?)"""
REPEATED = """UPDATE pictures SET reason = 'repeated' WHERE reason = 'surplus' AND sha256 IN
    (SELECT sha256 FROM pictures WHERE reason = '')"""


def settled(classes: dict[str, Class], scrape: Scrape) -> dict[str, Class]:
    """Each class with all that it leaves to the whole study filled in."""
    found = {}
    for name, wanted in classes.items():
        own = wanted.filters.model_dump(exclude_unset=True) if wanted.filters else {}
        found[name] = wanted.model_copy(
            update={
                "query": wanted.query or [scrape.query.replace("{class}", name)],
                "search": wanted.search or [name],
                "per_class": wanted.per_class or scrape.per_class,
                "min_side": wanted.min_side or scrape.download.min_side,
                "filters": scrape.filters.model_copy(update=own),
            }
        )
    return found


def choose(found: Connection, classes: Mapping[str, Class]) -> None:
    """Take the first `per_class` different pictures of each class, none that is in two classes.

    What is in two classes is wrong in one of them, and no one knows in which. The others get the
    reason against them, those that are taken an empty one.
    """
    found.execute("UPDATE pictures SET reason = 'surplus'")
    found.execute(REFUSE)
    for name, wanted in classes.items():
        found.execute(TAKE, (name, wanted.per_class))
    found.execute(REPEATED)


def still_short(found: Connection, classes: Mapping[str, Class]) -> dict[str, Class]:
    """The classes that have too few pictures, each asking for those that are missing."""
    choose(found, classes)
    there = Counter({row["class"]: row["n"] for row in found.execute(TAKEN)})
    return {
        name: wanted.model_copy(update={"per_class": wanted.per_class - there[name]})
        for name, wanted in classes.items()
        if there[name] < wanted.per_class
    }


def count(found: Connection, classes: Mapping[str, Class]) -> dict[str, dict]:
    """Per class and in all: asked, found, fetched, kept, and rejected by reason."""
    counts = {name: Counter({"asked": wanted.per_class}) for name, wanted in classes.items()}
    reasons: dict[str, Counter] = {name: Counter() for name in classes}
    for row in found.execute(TALLY):
        ends = ("found", "fetched", "kept")[: 1 + row["fetched"] + (row["reason"] == "")]
        counts[row["class"]].update(dict.fromkeys(ends, row["n"]))
        if row["reason"]:
            reasons[row["class"]][row["reason"]] += row["n"]
    total = sum(counts.values(), Counter()), sum(reasons.values(), Counter())
    each = {name: _shown(counts[name], reasons[name]) for name in classes}
    return {"total": _shown(*total), "classes": each}


def _shown(count: Counter, reasons: Counter) -> dict:
    shown = {field: count[field] for field in ("asked", "found", "fetched", "kept")}
    return shown | {"rejected": dict(sorted(reasons.items()))}
