"""Which of the pictures found are taken, why the others are not, and whether that is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from stages.errors import StudyError
from stages.params import Class
from stages.sources import Trouble


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


def require_enough(
    counts: Mapping[str, dict], troubles: Sequence[tuple[Trouble, str]], allow_incomplete: bool
) -> None:
    """Raises StudyError where classes lack pictures, with all that is known of why.

    `troubles` come with the place where their page is kept, or none.
    """
    classes = counts["classes"]
    empty = [name for name, count in classes.items() if not count["kept"]]
    short = [name for name, count in classes.items() if count["kept"] < count["asked"]]
    lacking = empty if allow_incomplete else short
    if not lacking:
        return
    told = "; ".join(_why(name, classes[name], troubles) for name in lacking)
    advice = "add words in classes of params.yaml, take away excluded ones or name another source"
    if not empty:
        advice += "; scrape.allow_incomplete goes on with what is there"
    raise StudyError(f"{told}: {advice}")


def _why(name: str, count: Mapping, troubles: Sequence[tuple[Trouble, str]]) -> str:
    why = [f"{count['found']} found"]
    for trouble, place in troubles:
        if trouble.class_name == name:
            kept = f", kept as {place}" if place else ""
            why.append(f'{trouble.source} for "{trouble.query}": {trouble.reason}{kept}')
    if count["rejected"]:
        why.append(", ".join(f"{number} {reason}" for reason, number in count["rejected"].items()))
    there = count["kept"] or "no"
    return f"class {name} has {there} pictures of {count['asked']} wanted ({'; '.join(why)})"
