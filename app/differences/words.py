"""What differs, in lines for a terminal or a log: a table of classes, then one line of result."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.differences.kinds import (
    ADDED,
    CHANGED,
    KINDS,
    MOVED,
    RELABELLED,
    REMOVED,
    RENAMED,
    ClassCount,
    Dataset,
    Difference,
    per_class,
)

WIDTH = 120
NAME = 40  # of a class, at most; longer ones end in …
COLUMNS = ("class", "before", "after", ADDED, REMOVED, RELABELLED, CHANGED, MOVED, RENAMED)


def summary_lines(
    before: Dataset, after: Dataset, found: Sequence[Difference], width: int = WIDTH
) -> list[str]:
    """A line for each class that differs, under a head; what else there is to say; the result."""
    rows = per_class(before, after, found)
    table = _table([row for row in rows if row.differs], width)
    return [*table, *notes(before, after, rows), in_words(before, after, found)]


def in_words(before: Dataset, after: Dataset, found: Iterable[Difference]) -> str:
    """The result, a line."""
    kinds = Counter(one.kind for one in found)
    if not kinds:
        return f"{before.name} and {after.name} have the same {_amount(after)}"
    parts = [f"{kinds[kind]:,} {phrase(kind)}" for kind in KINDS if kinds[kind]]
    return (
        f"{_amount(before)} in {before.name}, {_amount(after)} in {after.name}: {', '.join(parts)}"
    )


def phrase(kind: str) -> str:
    return "moved between splits" if kind == MOVED else kind


def notes(before: Dataset, after: Dataset, rows: Sequence[ClassCount]) -> list[str]:
    """Lines that no count has: classes alike, new and gone, and pictures converted otherwise."""
    new = [printable(row.name) for row in rows if not row.before]
    gone = [printable(row.name) for row in rows if not row.after]
    alike = sum(not row.differs for row in rows)
    said = [
        f"{title}: {_few(names)}"
        for title, names in ((f"classes {ADDED}", new), (f"classes {REMOVED}", gone))
        if names
    ]
    if alike and alike < len(rows):
        said.append(f"{alike:,} of {len(rows):,} classes do not differ")
    return said + conversion(before, after)


def conversion(before: Dataset, after: Dataset) -> list[str]:
    """A line for each setting of stage to_rgb that differs: every picture's pixels may, then."""
    old, new = before.conversion, after.conversion
    return [
        f"rgb.{name} is {old[name]}, then {new[name]}: all pictures are converted otherwise"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]


def printable(text: str) -> str:
    """A name of somebody's branch, safe for a terminal: no line ends, no escape sequences."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _amount(dataset: Dataset) -> str:
    classes = len({picture.class_name for picture in dataset.pictures})
    return f"{len(dataset.pictures):,} pictures of {classes:,} classes"


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _table(rows: Sequence[ClassCount], width: int) -> list[str]:
    if not rows:
        return []
    (name, *columns), *lines = table(rows)
    drawn = Table(box=None, padding=(0, 2, 0, 0))
    drawn.add_column(name, no_wrap=True, overflow="ellipsis", max_width=NAME)
    for column in columns:
        drawn.add_column(column, justify="right", no_wrap=True)
    for name, *cells in lines:
        drawn.add_row(Text(printable(name)), *cells)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(drawn)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def table(rows: Sequence[ClassCount]) -> list[list[str]]:
    """A head, then the cells of each class; without the columns that say nothing."""
    columns = zip(COLUMNS, *map(_cells, rows), strict=True)
    return [list(line) for line in zip(*(c for c in columns if any(c[1:])), strict=True)]


def _cells(row: ClassCount) -> list[str]:
    """The counts of a class under COLUMNS; nothing instead of 0."""
    relabelled = " ".join(
        f"{sign}{count:,}"
        for sign, count in (("−", row.relabelled_out), ("+", row.relabelled_in))
        if count
    )
    added, removed, *others = (
        f"{count:,}" if (count := getattr(row, kind)) else ""
        for kind in (ADDED, REMOVED, CHANGED, MOVED, RENAMED)
    )
    return [row.name, f"{row.before:,}", f"{row.after:,}", added, removed, relabelled, *others]
