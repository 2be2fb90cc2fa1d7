"""What is asked of the sources for each class, which pictures are taken, why the others not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from stages.params import Class, Scrape


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


def choose(
    rows: Sequence[dict], classes: Mapping[str, Class]
) -> tuple[list[dict], list[tuple[dict, str]]]:
    """The first `per_class` different pictures of each class, none that is in two classes.

    What is in two classes is wrong in one of them, and no one knows in which. The others come
    with the reason against them.
    """
    homes: dict[str, set[str]] = {}
    for row in rows:
        homes.setdefault(row["sha256"], set()).add(row["class"])
    kept, others, seen = [], [], set()
    for name, wanted in classes.items():
        left = wanted.per_class
        for row in (row for row in rows if row["class"] == name):
            if len(homes[row["sha256"]]) > 1:
                others.append((row, "in_two_classes"))
            elif row["sha256"] in seen:
                others.append((row, "repeated"))
            elif not left:
                others.append((row, "surplus"))
            else:
                seen.add(row["sha256"])
                kept.append(row)
                left -= 1
    return kept, others


def still_short(rows: Sequence[dict], classes: Mapping[str, Class]) -> dict[str, Class]:
    """The classes that have too few pictures, each asking for those that are missing."""
    there = Counter(row["class"] for row in choose(rows, classes)[0])
    return {
        name: wanted.model_copy(update={"per_class": wanted.per_class - there[name]})
        for name, wanted in classes.items()
        if there[name] < wanted.per_class
    }


def count(
    classes: Mapping[str, Class],
    kept: Iterable[dict],
    others: Iterable[tuple[dict, str]],
    missed: Iterable[dict],
) -> dict[str, dict]:
    """Per class and in all: asked, found, fetched, kept, and rejected by reason."""
    counts = {name: Counter({"asked": wanted.per_class}) for name, wanted in classes.items()}
    reasons: dict[str, Counter] = {name: Counter() for name in classes}
    for row in kept:
        counts[row["class"]].update(("found", "fetched", "kept"))
    for row, reason in others:
        counts[row["class"]].update(("found", "fetched"))
        reasons[row["class"]][reason] += 1
    for row in missed:
        counts[row["class"]]["found"] += 1
        reasons[row["class"]][row["reason"]] += 1
    total = sum(counts.values(), Counter()), sum(reasons.values(), Counter())
    each = {name: _shown(counts[name], reasons[name]) for name in classes}
    return {"total": _shown(*total), "classes": each}


def _shown(count: Counter, reasons: Counter) -> dict:
    shown = {field: count[field] for field in ("asked", "found", "fetched", "kept")}
    return shown | {"rejected": dict(sorted(reasons.items()))}
