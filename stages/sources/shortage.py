"""Whether a scrape found enough, and all that is known of why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stages.errors import StudyError
from stages.sources import Trouble


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
