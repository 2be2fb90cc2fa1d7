"""Stage 1: pictures of every class from the sources of params.yaml, with where each came from."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from stages import shards
from stages.errors import StudyError, run
from stages.params import Class, Scrape, load
from stages.selection import choose, count, settled, still_short
from stages.shortage import require_enough
from stages.sources import Missed, Picture, Trouble, lookup
from stages.tables import write_json, write_table, write_text

RAW = Path("data/raw")
COUNTED = ("class", "asked", "found", "fetched", "kept", "rejected", "reasons")
COLUMNS = [
    *("file", "class", "query", "source", "image_url", "page_url", "title", "author"),
    *("licence", "licence_url", "sha256", "bytes", "width", "height", "format"),
]
MISSED = ["class", "query", "source", "image_url", "page_url", "reason"]
UNREADABLE = Path(".unreadable")  # neither DVC's nor Git's: pages that someone may report


def main() -> None:
    params = load("classes", "scrape")
    classes = settled(params.classes, params.scrape)
    refuse_own_output(params.scrape)
    empty(RAW)

    found, missed, troubles = gather(classes, params.scrape)
    kept, others = choose(found, classes)
    counts = count(classes, kept, others, missed)
    remove(found, kept)
    shards.pack(RAW)

    write_table(RAW / "manifest.csv", COLUMNS, sorted(kept, key=lambda row: row["file"]))
    write_text(RAW / "ATTRIBUTION.md", attribution(kept))
    write_table("data/missed.csv", MISSED, listed(list(classes), missed, others, troubles))
    write_json("reports/scrape.json", counts["total"])
    write_table("reports/scrape.csv", COUNTED, per_class_rows(counts))
    require_enough(counts, troubles, params.scrape.allow_incomplete)


def refuse_own_output(settings: Scrape) -> None:
    for name in ("folder", "urls", "pages"):
        place = getattr(settings, name)
        if place and Path(place).resolve().is_relative_to(RAW.resolve()):
            raise StudyError(
                f"scrape.{name} is {place}, which this stage empties: move it elsewhere"
            )


def empty(folder: Path) -> None:
    """Remove an earlier run's pictures, as DVC does: started by hand, they would stay."""
    if folder.exists():
        shutil.rmtree(folder)


def gather(
    classes: Mapping[str, Class], settings: Scrape
) -> tuple[list[dict], list[dict], list[tuple[Trouble, str]]]:
    """Ask source after source for what is missing; what is found is saved.

    Rows of what is there, rows of what could not be had, and searches that went wrong, each with
    the file that keeps its page.
    """
    found, missed, troubles = [], [], []
    for source in settings.all_sources:
        short = still_short(found, classes)
        known = {row["sha256"] for row in found}
        for item in lookup(source).pictures(short, settings, known) if short else ():
            if isinstance(item, Picture):
                found.append(save(item))
            elif isinstance(item, Missed):
                missed.append(row_of(item))
            else:
                troubles.append((item, keep_page(item)))
    return found, missed, troubles


def row_of(item: Missed | Trouble) -> dict:
    blank = dict.fromkeys(MISSED, "")
    facts = vars(item) | {"class": item.class_name}
    return blank | {name: facts[name] for name in MISSED if name in facts}


def keep_page(trouble: Trouble) -> str:
    """Say what went wrong at once, and keep the page that came instead; where, if anywhere."""
    place = ""
    if trouble.page:
        digest = hashlib.sha256(trouble.page).hexdigest()[:8]
        path = UNREADABLE / f"{trouble.source}-{trouble.class_name}-{digest}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(trouble.page)
        place = path.as_posix()
    told = f'class {trouble.class_name}, {trouble.source} for "{trouble.query}": {trouble.reason}'
    print(f"{told}, kept as {place}" if place else told, file=sys.stderr, flush=True)
    return place


def listed(
    classes: list[str],
    missed: Iterable[dict],
    others: Iterable[tuple[dict, str]],
    troubles: Iterable[tuple[Trouble, str]],
) -> list[dict]:
    """All that was found and is not in the manifest, and searches without results, by class."""
    rows = [
        *(row_of(trouble) for trouble, _ in troubles),
        *missed,
        *({name: (row | {"reason": why})[name] for name in MISSED} for row, why in others),
    ]
    return sorted(rows, key=lambda row: classes.index(row["class"]))


def save(picture: Picture) -> dict:
    """Write a picture's bytes; its row of the manifest."""
    path = free(RAW / picture.class_name / picture.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = picture.data if isinstance(picture.data, bytes) else picture.data.read_bytes()
    path.write_bytes(data)
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


def free(path: Path) -> Path:
    """The path, numbered where another source's picture has it."""
    number, stem = 1, path.stem
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}{path.suffix}")
    return path


def size_and_format(data: bytes) -> tuple[int | str, int | str, str]:
    """What the file's head says; empty where it is no picture, which `to_rgb` will say."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: nothing is decoded here
            with Image.open(io.BytesIO(data)) as image:
                return *image.size, image.format
    except Exception:  # hostile bytes make Pillow's readers raise nearly anything
        return "", "", ""


def per_class_rows(counts: dict) -> list[dict]:
    """A table of its own: as metrics, classes would be hundreds of columns of `dvc exp show`."""
    rows = [{"class": name} | count for name, count in counts["classes"].items()]
    return [
        row
        | {"rejected": sum(row["rejected"].values())}
        | {"reasons": ", ".join(f"{number} {why}" for why, number in row["rejected"].items())}
        for row in rows
    ]


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
    place = re.sub(r"[<>|\s]", lambda found: quote(found[0]), url)
    return f"[{_cell(text or url)}](<{place}>)" if url else _cell(text or "unknown")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    run(main)
