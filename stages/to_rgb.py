"""Every picture found becomes upright 8-bit RGB of a limited size, or a row that says why not."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from stages.errors import StudyError
from stages.params import Rgb, load
from stages.pictures import decoding, exclusions, images, isolation, shards
from stages.runtime.program import run
from stages.runtime.progress import progress
from stages.tables import read_table, write_json, write_table

RAW, RGB = Path("data/raw"), Path("data/rgb")
COLUMNS = (
    *("file", "class", "raw", "status", "reason"),
    *("mode", "format", "width", "height", "sha256", "image_url"),  # of the file as it came
)
BLANK = dict.fromkeys(COLUMNS, "")


def main() -> str:
    rgb = load("rgb").rgb
    manifest = read_table(RAW / "manifest.csv")
    unwanted = exclusions.read()
    found = find(manifest)
    # Not only for tidiness: these may be links into DVC's cache, and writing through one spoils it.
    shutil.rmtree(RGB, ignore_errors=True)
    urls = {row["file"]: row["image_url"] for row in manifest}
    rows = [row | {"image_url": urls.get(row["raw"], "")} for row in convert_all(found, rgb)]
    rows, unmet = exclude(unwanted, rows)
    require_every_class(rows, manifest)
    shards.pack(RGB)
    write_table(RGB / "manifest.csv", COLUMNS, rows)
    counts = summary(rows)
    write_json("reports/to_rgb.json", counts | {"exclusions_unmet": unmet})
    return "{kept:,} pictures converted, {rejected:,} rejected, {excluded:,} excluded".format(
        **counts
    )


def find(manifest: list[dict[str, str]]) -> dict[str, str]:
    """What is to convert, sorted: file in data/raw → file in data/rgb, no two the same.

    That is what stands in the class folders and what the manifest lists, there or not.
    """
    found, taken = {}, set()
    for raw in sorted(shards.listing(RAW) | {row["file"] for row in manifest}):
        stem = f"{Path(raw).parent.name}/{Path(raw).stem}"
        name, number = stem, 1
        while name.casefold() in taken:  # a.png beside a.jpg, or A.png where case does not count
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        found[raw] = f"{name}.png"
    return found


def convert_all(found: dict[str, str], rgb: Rgb) -> list[dict]:
    """A row for every picture found, in the same order, made on all cores."""
    rows = {}
    with progress("to_rgb", len(found), "picture") as advance:
        for raw, row in isolation.on_all_cores(partial(convert, rgb=rgb), found.items()):
            rows[raw] = row or _crashed(raw)
            advance(1)
    if rows.keys() != found.keys():
        raise StudyError(f"{len(found)} pictures found, {len(rows)} converted: report this")
    return [rows[raw] for raw in found]


def convert(raw: str, file: str, rgb: Rgb) -> dict:
    """The row of one picture; where it is kept, its PNG is written."""
    row = {"class": Path(raw).parent.name, "raw": raw}
    try:
        data = _read(raw)
        row["sha256"] = hashlib.sha256(data).hexdigest()
        picture = decoding.decode(data, rgb.max_megapixels, rgb.max_side)
        width, height = picture.size
        row |= {"mode": picture.mode, "format": picture.format, "width": width, "height": height}
        picture = images.shrink(images.to_rgb(picture, rgb.background), rgb.max_side)
    except images.PictureError as error:
        return BLANK | row | {"status": "rejected", "reason": str(error)}
    (RGB / file).parent.mkdir(parents=True, exist_ok=True)
    (RGB / file).write_bytes(images.as_png(picture))
    return BLANK | row | {"status": "kept", "file": file}


def exclude(unwanted: list[exclusions.Exclusion], rows: list[dict]) -> tuple[list[dict], int]:
    """The rows, excluded pictures marked and taken away; how many exclusions met no picture."""
    marked, unmet = exclusions.apply(unwanted, rows)
    for before, after in zip(rows, marked, strict=True):
        if before["file"] and not after["file"]:
            (RGB / before["file"]).unlink()
    if unmet:
        named = f"line {unmet[0].line}, {unmet[0].key}"
        print(
            f"to_rgb: {exclusions.FILE}: {len(unmet)} of {len(unwanted)} lines name no picture "
            f"that was found (first: {named})",
            file=sys.stderr,
        )
    return marked, len(unmet)


def require_every_class(rows: list[dict], manifest: list[dict[str, str]]) -> None:
    """Raises StudyError for a class of which no picture was kept."""
    kept = {row["class"] for row in rows if row["status"] == "kept"}
    folders = {path.name for path in RAW.iterdir() if path.is_dir()}
    for name in sorted(folders | {row["class"] for row in [*rows, *manifest]}):
        if name not in kept:
            reasons = [f"{row['raw']}: {row['reason']}" for row in rows if row["class"] == name]
            raise StudyError(
                f"class {name} is left without pictures ({len(reasons)} found and rejected or "
                f"excluded{', the first ' + reasons[0] if reasons else ''}): "
                f"add search words in classes.{name} of params.yaml"
            )
    if not kept:
        raise StudyError(f"{RAW} holds no pictures: `dvc repro scrape` fetches them")


def summary(rows: list[dict]) -> dict:
    """How many pictures met which end, and in which modes the kept ones came."""
    status = Counter(row["status"] for row in rows)
    modes = Counter(row["mode"] for row in rows if row["status"] == "kept")
    return {
        "found": len(rows),
        "kept": status["kept"],
        "rejected": status["rejected"],
        "excluded": status["excluded"],
        "modes": dict(sorted(modes.items())),
    }


def _read(raw: str) -> bytes:
    if (RAW / raw).exists() and not (RAW / raw).is_file():
        raise images.PictureError("not a file")
    try:
        return shards.read(RAW, raw)
    except (FileNotFoundError, NotADirectoryError):
        raise images.PictureError("missing, though the manifest lists it") from None


def _crashed(raw: str) -> dict:
    reason = f"its decoder crashed or took more than {isolation.CPU_SECONDS} s"
    return BLANK | {
        **{"class": Path(raw).parent.name, "raw": raw, "status": "rejected", "reason": reason}
    }


if __name__ == "__main__":
    run(main)
