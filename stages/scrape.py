"""Stage 1: pictures of every class from the source of params.yaml, with where each came from."""

from __future__ import annotations

import hashlib
import io
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from stages.errors import StudyError, run
from stages.params import load
from stages.sources import Missed, Picture, lookup
from stages.tables import write_json, write_table, write_text

RAW = Path("data/raw")
COLUMNS = [
    *("file", "class", "query", "source", "image_url", "page_url", "title", "author"),
    *("licence", "licence_url", "sha256", "bytes", "width", "height", "format"),
]
MISSED = ["class", "query", "source", "image_url", "page_url", "reason"]


def main() -> None:
    params = load("classes", "scrape")
    refuse_own_output(params.scrape.folder)
    empty(RAW)

    pictures = lookup(params.scrape.source).pictures(params.classes, params.scrape)
    found, missed = take(pictures)
    kept, counts = choose(found, list(params.classes), params.scrape.per_class)
    count_missed(counts, missed)
    require_every_class(counts, params.scrape.source)
    remove(found, kept)

    write_table(RAW / "manifest.csv", COLUMNS, sorted(kept, key=lambda row: row["file"]))
    write_table(RAW / "missed.csv", MISSED, missed)
    write_text(RAW / "ATTRIBUTION.md", attribution(kept))
    write_json("reports/scrape.json", counts)


def refuse_own_output(folder: str) -> None:
    if folder and Path(folder).resolve().is_relative_to(RAW.resolve()):
        raise StudyError(f"scrape.folder is {folder}, which this stage empties: move it elsewhere")


def empty(folder: Path) -> None:
    """Remove an earlier run's pictures, as DVC does: started by hand, they would stay."""
    if folder.exists():
        shutil.rmtree(folder)


def take(pictures: Iterable[Picture | Missed]) -> tuple[list[dict], list[dict]]:
    """Save what a source gives: rows of what is there, and of what could not be had."""
    found, missed = [], []
    for picture in pictures:
        if isinstance(picture, Missed):
            values = (picture.class_name, picture.query, picture.source, picture.image_url)
            values = (*values, picture.page_url, picture.reason)
            missed.append(dict(zip(MISSED, values, strict=True)))
        else:
            found.append(save(picture))
    return found, missed


def save(picture: Picture) -> dict:
    """Write a picture's bytes; its row of the manifest."""
    path = RAW / picture.class_name / picture.name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = picture.data if isinstance(picture.data, bytes) else picture.data.read_bytes()
    with path.open("xb") as file:  # two pictures of one name would be a source's mistake
        file.write(data)
    width, height, kind = size_and_format(data)
    return {
        "file": path.relative_to(RAW).as_posix(),
        "class": picture.class_name,
        "query": picture.query,
        "source": picture.source,
        "image_url": picture.image_url,
        "page_url": picture.page_url,
        "title": picture.title,
        "author": picture.author,
        "licence": picture.licence,
        "licence_url": picture.licence_url,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "width": width,
        "height": height,
        "format": kind,
    }


def size_and_format(data: bytes) -> tuple[int | str, int | str, str]:
    """What the file's head says; empty where it is no picture, which `to_rgb` will say."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: nothing is decoded here
            with Image.open(io.BytesIO(data)) as image:
                return *image.size, image.format
    except Exception:  # hostile bytes make Pillow's readers raise nearly anything
        return "", "", ""


def choose(
    rows: Sequence[dict], classes: Iterable[str], per_class: int
) -> tuple[list[dict], dict[str, dict]]:
    """The first `per_class` different pictures of each class, none that is in two classes.

    What is in two classes is wrong in one of them, and no one knows in which.
    """
    homes: dict[str, set[str]] = {}
    for row in rows:
        homes.setdefault(row["sha256"], set()).add(row["class"])
    kept, counts, seen = [], {}, set()
    for name in classes:
        count = Counter({"asked": per_class})
        for row in (row for row in rows if row["class"] == name):
            count["found"] += 1
            if len(homes[row["sha256"]]) > 1:
                count["in_two_classes"] += 1
            elif row["sha256"] in seen:
                count["repeated"] += 1
            elif count["kept"] < per_class:
                seen.add(row["sha256"])
                kept.append(row)
                count["kept"] += 1
        fields = ("asked", "found", "repeated", "in_two_classes", "kept")
        counts[name] = {field: count[field] for field in fields}
    total = Counter()
    for count in counts.values():
        total.update(count)
    return kept, {"total": dict(total), "classes": counts}


def count_missed(counts: dict, missed: Iterable[dict]) -> None:
    """Add to each class, and to the whole, how many could not be had for which reason."""
    for row in missed:
        for count in (counts["total"], counts["classes"][row["class"]]):
            reasons = count.setdefault("missed", {})
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1


def require_every_class(counts: dict, source: str) -> None:
    for name, count in counts["classes"].items():
        if not count["kept"]:
            raise StudyError(
                f"class {name} has no pictures of its own from source {source} "
                f"(found {count['found']}, of them in two classes {count['in_two_classes']}): "
                f"add search words in classes.{name} of params.yaml, or take away excluded ones"
            )


def remove(found: Iterable[dict], kept: Iterable[dict]) -> None:
    for file in {row["file"] for row in found} - {row["file"] for row in kept}:
        (RAW / file).unlink()


def attribution(rows: Iterable[dict]) -> str:
    """Whom to name when the pictures are passed on, which CC-BY and CC-BY-SA ask for."""
    fields = ("title", "author", "page_url", "licence", "licence_url")
    sets = Counter(tuple(row[field] for field in fields) for row in rows)
    lines = [
        "# Attribution",
        "",
        "| title | author | licence | pictures |",
        "| --- | --- | --- | --- |",
    ]
    for (title, author, page, licence, licence_url), number in sorted(sets.items()):
        lines.append(
            f"| {_cell(title)} | {_link(author, page)} | {_link(licence, licence_url)} | {number} |"
        )
    return "\n".join([*lines, ""])


def _link(text: str, url: str) -> str:
    return f"[{_cell(text or url)}](<{url}>)" if url else _cell(text or "unknown")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    run(main)
