"""The data card: what the pictures are, where they are from, what is known to be wrong with them.

M. Pushkarna et al.: Data Cards, 2022, https://arxiv.org/abs/2204.01075; its sections, as far as a
study knows what belongs in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.metadata.markdown import address, code, counted, plain, render
from stages.metadata.picture_table import in_words, licence
from stages.params import Rgb
from stages.statistics.scores import SPLITS
from stages.tables import Row

TEMPLATE = Path(__file__).with_name("data_card.md.jinja")
MOST = 10  # rows of a table that may be long
SHARE = 0.2  # of all pictures: a collection with more of them is worth a warning
ENGINE = "a search engine, found by the class's words; their owners have all rights unless stated"
OPEN = "a catalogue of openly licensed works, found by the class's words"
ORIGINS = {
    "iconify": "icons and emoji of the sets that Iconify collects, drawn from SVG",
    "folder": "files of the study's owner, in one folder for each class",
    "urls": "addresses that the study's owner has listed, each with its class",
    **dict.fromkeys(("google", "bing", "baidu", "duckduckgo"), ENGINE),
    **dict.fromkeys(("openverse", "commons", "flickr"), OPEN),
}
OWN = ("folder", "urls")  # sources whose owner has said what each picture shows


@dataclass(frozen=True)
class Data:
    """What the stages before know of the pictures."""

    pictures: Sequence[Row]  # rows of data/pictures.csv
    found: Sequence[Row]  # rows of data/rgb/manifest.csv: all pictures, the rejected too
    scraped: Mapping  # reports/scrape.json
    checked: Mapping  # reports/checks.json
    label_errors: Sequence[Row]  # rows of reports/label_errors.csv
    rgb: Rgb
    max_distance: int  # bits of a perceptual hash


def data_card(data: Data) -> str:
    """The card, as Markdown."""
    classes = class_rows(data.pictures)
    groups = Counter(row["group"] for row in data.pictures)
    return render(
        TEMPLATE,
        {
            "data": data,
            "pictures": len(data.pictures),
            "classes": classes,
            "names": in_words([name for name, *_ in classes], most=20),
            "splits": Counter(row["split"] for row in data.pictures),
            "groups": groups,
            "alone": sum(number == 1 for number in groups.values()),
            "sources": source_rows(data.pictures),
            "collections": collection_rows(data.pictures),
            "licences": licence_rows(data.pictures),
            "sizes": size_rows(data.found),
            "formats": most(_of(data.found, "kept", lambda row: f"{row['format']}, {row['mode']}")),
            "rejected": most(_of(data.found, "rejected", lambda row: row["reason"])),
            "excluded": most(_of(data.found, "excluded", lambda row: row["reason"])),
            "not_taken": most(Counter(data.scraped["rejected"])),
            "flagged": most(Counter(flags(data.checked))),
            "label_errors": [
                [code(row["file"]), plain(row["reason"])] for row in data.label_errors[:MOST]
            ],
            "limits": list(limits(data.pictures, classes)),
        },
    )


def class_rows(pictures: Iterable[Row]) -> list[list]:
    """Of each class: name, pictures of each split, all, groups."""
    counts = Counter((row["class"], row["split"]) for row in pictures)
    groups = Counter(name for name, _ in {(row["class"], row["group"]) for row in pictures})
    rows = []
    for name in sorted(groups):
        parts = [counts[name, split] for split in SPLITS]
        rows.append([plain(name), *parts, sum(parts), groups[name]])
    return rows


def source_rows(pictures: Iterable[Row]) -> list[list]:
    counts = Counter(row["source"] for row in pictures)
    return [[plain(n or "not known"), c, ORIGINS.get(n, "")] for n, c in _sorted(counts)]


def collection_rows(pictures: Iterable[Row]) -> list[list]:
    """What more than one picture is from, the largest first: title, author, licence, pictures."""
    counts = Counter((row["title"], row["author"], row["licence"]) for row in pictures)
    ordered = [(names, c) for names, c in _sorted(counts) if c > 1 and names[0]]
    rows = [[*map(plain, names), count] for names, count in ordered[:MOST]]
    rest = ordered[MOST:]
    return rows + ([[f"{len(rest)} more", "", "", sum(c for _, c in rest)]] if rest else [])


def licence_rows(pictures: Iterable[Row]) -> list[list]:
    counts = Counter(licence(row) for row in pictures)
    return [[address(name) if name else "not known", number] for name, number in _sorted(counts)]


def size_rows(found: Iterable[Row]) -> list[list]:
    """Least, median and most pixels of both sides of the pictures kept, as they came."""
    sides = [sorted((int(r["width"]), int(r["height"]))) for r in found if r["status"] == "kept"]
    return [
        [f"{name} side", *(f"{value:.0f}" for value in np.quantile(column, (0, 0.5, 1)))]
        for name, column in zip(("shorter", "longer"), np.transpose(sides), strict=True)
    ]


def most(counts: Counter) -> list[list]:
    """The most frequent with their numbers, and the rest as one."""
    ordered = _sorted(counts)
    rest = ordered[MOST:]
    rows = [[plain(name), count] for name, count in ordered[:MOST]]
    return rows + ([[f"{len(rest)} more", sum(c for _, c in rest)]] if rest else [])


def flags(checked: Mapping) -> dict[str, int]:
    """Why pictures were flagged, and how many."""
    kinds = {name: n for name, n in checked.items() if name not in ("pictures", "flagged")}
    return {name.replace("_", " "): number for name, number in kinds.items() if number}


def limits(pictures: Sequence[Row], classes: Sequence[Sequence]) -> Iterator[str]:
    """What of these pictures limits what may be concluded from them, a sentence each."""
    searched = sum(row["source"] not in OWN for row in pictures)
    if searched:
        yield (
            f"The labels of {counted(searched, 'picture')} are those of the search that found "
            "them; only who looks at `reports/contact_sheets` has confirmed them."
        )
    unknown = sum(not licence(row) for row in pictures)
    if unknown:
        yield (
            f"Of {counted(unknown, 'picture')} the licence is not known: passing them on needs the "
            "consent of their owners."
        )
    titles = Counter(row["title"] for row in pictures if row["title"])
    for title, number in _sorted(titles):
        if number > SHARE * len(pictures):
            share = f"{100 * number / len(pictures):.0f} %"
            yield f"{share} of the pictures are of one collection, {plain(title)}."
    sizes = {name: number for name, *_, number, _ in classes}
    smallest, largest = min(sizes, key=sizes.get), max(sizes, key=sizes.get)
    if 2 * sizes[smallest] <= sizes[largest]:
        yield (
            f"The classes differ in size: {smallest} has {counted(sizes[smallest], 'picture')}, "
            f"{largest} {sizes[largest]:,}. Accuracy follows the large ones, macro averages do not."
        )


def _of(found: Iterable[Row], status: str, name: Callable[[Row], str]) -> Counter:
    return Counter(name(row) for row in found if row["status"] == status)


def _sorted(counts: Counter) -> list[tuple]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
