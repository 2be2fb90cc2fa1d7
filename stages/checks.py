"""Stage 3: contact sheets of every class, and a list of the pictures that look wrong.

Nothing is removed here: whoever has looked copies lines of reports/flagged.csv to data/exclude.csv.
"""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageStat

from stages.params import Checks, load
from stages.pictures import (
    contact_sheets,
    decoding,
    exclusions,
    fonts,
    images,
    near_duplicates,
    shards,
)
from stages.pictures.contact_sheets import Cell
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.tables import read_table, write_json, write_table

RAW, RGB = Path("data/raw"), Path("data/rgb")
SHEETS = Path("reports/contact_sheets")
PAGES = 4  # of a class at most: what somebody looks at
KINDS = ("blank", "invisible", "small", "narrow", "near duplicate")
Fault = tuple[str, str]  # one of KINDS, and in words


def main() -> str:
    params = load("rgb.background", "rgb.max_megapixels", "checks", "split.max_distance")
    rows = [row for row in read_table(RGB / "manifest.csv") if row["status"] == "kept"]
    deviations, hashes = looked_at([row["file"] for row in rows])
    faults = [
        [*flatness(row, deviation, params), *shape(row, params.checks)]
        for row, deviation in zip(rows, deviations, strict=True)
    ]
    for index, fault in across_classes(rows, hashes, params.split.max_distance):
        faults[index].append(fault)
    write_table("reports/flagged.csv", exclusions.COLUMNS, flagged(rows, faults))
    counts = summary(faults)
    write_json("reports/checks.json", counts)
    write_sheets(rows, faults)
    fonts.tell_missing("reports/contact_sheets", "checks")
    return f"{{flagged:,}} of {{pictures:,}} pictures look wrong; see {SHEETS}".format(**counts)


def looked_at(files: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The deviation (n) of each picture of data/rgb, and its hashes (uint64, n × 2)."""

    def look(file: str) -> tuple[float, tuple[int, int]]:
        with opened(file) as picture:
            return deviation(picture), near_duplicates.hashes(picture)

    with ThreadPoolExecutor() as pool:
        found = list(followed(pool.map(look, files), "checks", len(files), "picture"))
    hashes = np.array([pair for _, pair in found], np.uint64).reshape(-1, 2)
    return np.array([flat for flat, _ in found]), hashes


def opened(file: str) -> Image.Image:
    return Image.open(io.BytesIO(shards.read(RGB, file)))


def deviation(picture: Image.Image) -> float:
    """Standard deviation of luminance, 0 to 127.5."""
    return ImageStat.Stat(picture.convert("L")).stddev[0]


def flatness(row: dict, on_background: float, params: Checks) -> Iterator[Fault]:
    """Whether nothing is to be seen: on any background, or on the study's alone."""
    least = params.checks.min_deviation
    if on_background < least:
        data = shards.read(RAW, row["raw"])
        picture = decoding.decode(data, params.rgb.max_megapixels)
        if all(deviation(images.to_rgb(picture, ground)) < least for ground in ("white", "black")):
            yield "blank", "blank on white and on black"
        else:
            yield "invisible", f"not to be seen on rgb.background {params.rgb.background}"


def shape(row: dict, checks: Checks) -> Iterator[Fault]:
    """What is wrong with the size of the picture as it came."""
    shorter, longer = sorted((int(row["width"]), int(row["height"])))
    size = f"{row['width']} x {row['height']}"
    if shorter < checks.min_side:
        yield "small", f"small: {size}, a side below {checks.min_side}"
    if shorter / longer < checks.min_ratio:
        yield "narrow", f"narrow: {size}, sides in a ratio below {checks.min_ratio:g}"


def across_classes(
    rows: Sequence[dict], hashes: np.ndarray, max_distance: int
) -> Iterator[tuple[int, Fault]]:
    """For every picture with near duplicates in other classes: the first of them, how many."""
    classes = np.array([row["class"] for row in rows])
    first, count = {}, Counter()
    for pairs in near_duplicates.pairs(hashes, max_distance):
        one, other = (side[classes[pairs[0]] != classes[pairs[1]]].tolist() for side in pairs)
        for index, partner in zip(one + other, other + one, strict=True):
            first[index] = min(partner, first.get(index, partner))
            count[index] += 1
    for index in sorted(first):
        more = f" and {count[index] - 1} more" if count[index] > 1 else ""
        yield index, ("near duplicate", f"near duplicate of {rows[first[index]]['raw']}{more}")


def flagged(rows: Sequence[dict], faults: Sequence[list[Fault]]) -> Iterator[dict]:
    """A line for every suspect picture, as data/exclude.csv takes it."""
    for row, found in zip(rows, faults, strict=True):
        if found:
            reason = "; ".join(words for _, words in found)
            yield {"file": row["raw"], "sha256": row["sha256"], "reason": reason}


def summary(faults: Sequence[list[Fault]]) -> dict:
    """How many pictures were looked at and flagged, and for what."""
    kinds = Counter(kind for found in faults for kind, _ in found)
    return {
        "pictures": len(faults),
        "flagged": sum(map(bool, faults)),
        **{kind.replace(" ", "_"): kinds[kind] for kind in KINDS},
    }


def write_sheets(rows: Sequence[dict], faults: Sequence[list[Fault]]) -> None:
    """Pages of every class: Cat.jpg, Cat.2.jpg, …; a class's name has no dot."""
    shutil.rmtree(SHEETS, ignore_errors=True)
    SHEETS.mkdir(parents=True)
    for name in sorted({row["class"] for row in rows}):
        cells = [
            Cell(row["file"], Path(row["raw"]).stem, "; ".join(words for _, words in found))
            for row, found in zip(rows, faults, strict=True)
            if row["class"] == name
        ]
        shown = chosen(cells)
        for number, page in enumerate(
            contact_sheets.pages(name, shown, len(cells), opened), start=1
        ):
            suffix = f".{number}.jpg" if number > 1 else ".jpg"
            (SHEETS / f"{name}{suffix}").write_bytes(page)


def chosen(cells: Sequence[Cell]) -> list[Cell]:
    """The suspect ones first, then the others; where they are too many, some from all along."""
    room = PAGES * contact_sheets.PER_PAGE
    suspect = [cell for cell in cells if cell.fault]
    others = [cell for cell in cells if not cell.fault]
    left = max(0, room - len(suspect))
    if len(others) > left:
        others = [others[i * len(others) // left] for i in range(left)]
    return suspect[:room] + others


if __name__ == "__main__":
    run(main)
