"""Stage 1: pictures of every class from the sources of params.yaml, with where each came from."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection
from urllib.parse import quote

from stages.errors import StudyError
from stages.params import UNSET, Class, Scrape, load
from stages.pictures import shards
from stages.pictures.formats import NoPictureError, describe
from stages.runtime.program import run
from stages.sources import Missed, Picture, Trouble, lookup, scratch
from stages.sources.selection import choose, count, settled, still_short
from stages.sources.shortage import require_enough
from stages.tables import write_json, write_pieces, write_table

RAW = Path("data/raw")
COUNTED = ("class", "asked", "found", "fetched", "kept", "rejected", "reasons")
COLUMNS = [
    *("file", "class", "query", "source", "image_url", "page_url", "title", "author"),
    *("licence", "licence_url", "sha256", "bytes", "width", "height", "format"),
]
MISSED = ["class", "query", "source", "image_url", "page_url", "reason"]
FOUND = f"""
    CREATE TABLE pictures ({", ".join(COLUMNS)}, reason);
    CREATE TABLE missed ({", ".join(MISSED)}, files)"""
MANIFEST = f"SELECT {', '.join(COLUMNS)} FROM pictures WHERE reason = '' ORDER BY file"  # noqa: S608
NAMED = """SELECT title, author, page_url, licence, licence_url, count(*) AS pictures
    FROM pictures WHERE reason = '' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"""
NOT_HAD = f"SELECT {', '.join(MISSED)} FROM missed WHERE class = ? ORDER BY rowid"  # noqa: S608
LEFT_OUT = """SELECT reason, sum(files) AS n FROM missed WHERE source = 'folder'
    GROUP BY reason ORDER BY n DESC, reason"""
NOT_TAKEN = f"""SELECT {", ".join(MISSED)} FROM pictures
    WHERE class = ? AND reason <> '' ORDER BY rowid"""  # noqa: S608
UNREADABLE = Path(".unreadable")  # neither DVC's nor Git's: pages that someone may report


def main() -> str:
    params = load("classes", "scrape")
    classes = settled(params.classes, params.scrape)
    refuse_own_output(params.scrape)
    empty(RAW)

    found = scratch.database(FOUND)
    troubles = gather(classes, params.scrape, found)
    choose(found, classes)
    counts = count(found, classes)
    tell_left_out(found)
    remove_others(found)
    shards.pack(RAW)

    write_table(RAW / "manifest.csv", COLUMNS, found.execute(MANIFEST))
    write_pieces(RAW / "ATTRIBUTION.md", attribution(found.execute(NAMED)))
    write_table("data/missed.csv", MISSED, listed(classes, found, troubles))
    write_json("reports/scrape.json", counts["total"])
    write_table("reports/scrape.csv", COUNTED, per_class_rows(counts))
    require_enough(counts, troubles, params.scrape.allow_incomplete)
    return in_words(counts["total"], len(classes))


def refuse_own_output(settings: Scrape) -> None:
    for name in UNSET:
        place = getattr(settings, name)
        if Path(place).resolve().is_relative_to(RAW.resolve()):
            raise StudyError(
                f"scrape.{name} is {place}, which this stage empties: move it elsewhere"
            )


def empty(folder: Path) -> None:
    """Remove an earlier run's pictures, as DVC does: started by hand, they would stay."""
    if folder.exists():
        shutil.rmtree(folder)


def gather(
    classes: Mapping[str, Class], settings: Scrape, found: Connection
) -> list[tuple[Trouble, str]]:
    """Ask source after source for what is missing; pictures are saved.

    Rows of what is there, and of what could not be had, go to `found`. Searches that went wrong
    are returned, each with the file that keeps its page.
    """
    troubles = []
    for source in settings.all_sources:
        short = still_short(found, classes)
        known = {row["sha256"] for row in found.execute("SELECT sha256 FROM pictures")}
        for item in lookup(source).pictures(short, settings, known) if short else ():
            if isinstance(item, Picture):
                scratch.insert(found, "pictures", save(item))
            elif isinstance(item, Missed):
                scratch.insert(found, "missed", row_of(item) | {"files": item.files})
            else:
                troubles.append((item, keep_page(item)))
    return troubles


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
    classes: Iterable[str], found: Connection, troubles: Sequence[tuple[Trouble, str]]
) -> Iterator[dict]:
    """By class: searches without results, and all that was found and is not in the manifest."""
    for name in classes:
        yield from (row_of(trouble) for trouble, _ in troubles if trouble.class_name == name)
        yield from found.execute(NOT_HAD, (name,))
        yield from found.execute(NOT_TAKEN, (name,))


def save(picture: Picture) -> dict:
    """Write a picture's bytes; its row of the manifest."""
    path = free(RAW / picture.class_name / picture.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = picture.data if isinstance(picture.data, bytes) else picture.data.read_bytes()
    path.write_bytes(data)
    kind, width, height = described(data)
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


def described(data: bytes) -> tuple[str, int | str, int | str]:
    """Format, width and height; empty where it is no picture, which `to_rgb` will say."""
    try:
        return describe(data)
    except NoPictureError:
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


def in_words(total: dict, classes: int) -> str:
    rejected = sum(total["rejected"].values())
    return f"{total['kept']:,} pictures of {classes} classes kept, {rejected:,} rejected"


def tell_left_out(found: Connection) -> None:
    """What of the user's own folder was not taken, in one line."""
    reasons = {row["reason"]: row["n"] for row in found.execute(LEFT_OUT)}
    if reasons:
        told = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        print(
            f"scrape: {sum(reasons.values())} files of your folder are left out ({told}): "
            "data/missed.csv says which",
            file=sys.stderr,
            flush=True,
        )


def remove_others(found: Connection) -> None:
    for row in found.execute("SELECT file FROM pictures WHERE reason <> ''"):
        (RAW / row["file"]).unlink()


def attribution(rows: Iterable[Mapping]) -> Iterator[str]:
    """Whom to name when the pictures are passed on, which CC-BY and CC-BY-SA ask for, by line."""
    yield "# Attribution\n\n| title | author | licence | pictures |\n| --- | --- | --- | --- |\n"
    for row in rows:
        author = _link(row["author"], row["page_url"])
        licence = _link(row["licence"], row["licence_url"])
        yield f"| {_cell(row['title'])} | {author} | {licence} | {row['pictures']} |\n"


def _link(text: str, url: str) -> str:
    place = re.sub(r"[<>|\s]", lambda found: quote(found[0]), url)
    return f"[{_cell(text or url)}](<{place}>)" if url else _cell(text or "unknown")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    run(main)
