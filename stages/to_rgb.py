"""Every picture found becomes upright 8-bit RGB of a limited size, or a row that says why not."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stages.compute import engines
from stages.errors import StudyError
from stages.params import Rgb, compute, load
from stages.pictures import conversions, exclusions, images, isolation, shards
from stages.pictures.conversions import Conversions
from stages.runtime import fingerprints
from stages.runtime.program import run
from stages.runtime.progress import progress
from stages.runtime.unfinished import unfinished
from stages.tables import read_table, write_json, write_table

RAW, RGB = Path("data/raw"), Path("data/rgb")
CRASHED = f"its decoder crashed or took more than {isolation.CPU_SECONDS} s"


def main() -> str:
    rgb = load("rgb").rgb
    manifest = read_table(RAW / "manifest.csv")
    unwanted = exclusions.read()
    found = find(manifest)
    with unfinished("to_rgb", key(rgb)) as folder, Conversions(folder) as made:
        with engines.chosen(compute()) as engine:
            rows = convert_all(found, rgb, made, engine)
        urls = {row["file"]: row["image_url"] for row in manifest}
        rows = [row | {"image_url": urls.get(row["raw"], "")} for row in rows]
        rows, unmet = exclude(unwanted, rows, made.pictures)
        require_every_class(rows, manifest)
        put_in_place(made.pictures, rows)
    counts = summary(rows)
    write_json("reports/to_rgb.json", counts | {"exclusions_unmet": unmet})
    return "{kept:,} pictures converted, {rejected:,} rejected, {excluded:,} excluded".format(
        **counts
    )


def key(rgb: Rgb) -> str:
    """A hash of what decides, beside its bytes, what becomes of a picture."""
    decisive = [rgb.model_dump(), fingerprints.fingerprint("stages.to_rgb")]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


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


def convert_all(
    found: dict[str, str], rgb: Rgb, made: Conversions, engine: engines.Engine
) -> list[dict]:
    """A row for every picture found, in the same order; what was made before is taken."""
    rows = {}
    with progress("to_rgb", len(found), "picture") as advance:

        def left() -> Iterator[tuple[str, bytes]]:
            for raw, file in found.items():
                try:
                    data = _read(raw)
                except images.PictureError as error:
                    rows[raw] = conversions.rejected(raw, str(error))
                    advance(1)
                    continue
                if row := made.row(raw, file, data):
                    rows[raw] = row
                    advance(1)
                else:
                    yield raw, data

        for raw, result in engine.isolated(partial(conversions.convert, rgb=rgb), left()):
            row, png = result or (conversions.rejected(raw, CRASHED), None)
            rows[raw] = made.add(row | {"file": found[raw] if png else ""}, png)
            advance(1)
    if rows.keys() != found.keys():
        raise StudyError(f"{len(found)} pictures found, {len(rows)} converted: report this")
    return [rows[raw] for raw in found]


def put_in_place(pictures: Path, rows: list[dict]) -> None:
    """data/rgb, of the pictures of a folder that is then no more."""
    # Not written over: what is there may be links into DVC's cache, and that would spoil it.
    shutil.rmtree(RGB, ignore_errors=True)
    RGB.parent.mkdir(exist_ok=True)
    pictures.rename(RGB)
    shards.pack(RGB)
    write_table(RGB / "manifest.csv", conversions.COLUMNS, rows)


def exclude(
    unwanted: list[exclusions.Exclusion], rows: list[dict], pictures: Path
) -> tuple[list[dict], int]:
    """The rows, excluded pictures marked and taken away; how many exclusions met no picture."""
    marked, unmet = exclusions.apply(unwanted, rows)
    for before, after in zip(rows, marked, strict=True):
        if before["file"] and not after["file"]:
            (pictures / before["file"]).unlink()
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


if __name__ == "__main__":
    run(main)
