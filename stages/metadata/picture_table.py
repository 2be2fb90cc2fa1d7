"""The pictures of a study as one table: class, split, licence and origin of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stages.tables import Row

ORIGIN = ("source", "title", "author", "licence", "licence_url", "page_url", "image_url")
COLUMNS = ("file", "class", "split", "group", *ORIGIN)


def picture_rows(split: Iterable[Row], found: Iterable[Row], raw: Iterable[Row]) -> Iterator[Row]:
    """A row for each picture of data/split.csv; what is not known of one is empty text.

    `found` are rows of data/rgb/manifest.csv, `raw` of data/raw/manifest.csv.
    """
    raw_name = {row["file"]: row["raw"] for row in found}
    origin = {row["file"]: row for row in raw}
    for row in split:
        known = origin.get(raw_name[row["file"]], {})
        facts = {name: row[name] for name in COLUMNS if name not in ORIGIN}
        yield facts | {name: known.get(name, "") for name in ORIGIN}


def class_names(pictures: Iterable[Row]) -> list[str]:
    return sorted({row["class"] for row in pictures})


def in_words(names: Sequence[str], most: int) -> str:
    """Names as part of a sentence; of more than `most`, how many more there are."""
    rest = [f"{len(names) - most} more"] if len(names) > most else []
    *words, last = [*names[:most], *rest]
    return f"{', '.join(words)} and {last}" if words else last


def licence(row: Row) -> str:
    """The licence of a picture by name, else by the address of its text; "" where none is known."""
    return row["licence"] or row["licence_url"]
