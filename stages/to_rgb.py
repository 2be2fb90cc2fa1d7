"""Every picture found becomes upright 8-bit RGB of a limited size, or a row that says why not."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from stages.errors import StudyError
from stages.params import Rgb, load
from stages.pictures import decoding, exclusions, images, shards
from stages.runtime.program import run
from stages.runtime.progress import progress
from stages.tables import read_table, write_json, write_table

RAW, RGB = Path("data/raw"), Path("data/rgb")
COLUMNS = (
    *("file", "class", "raw", "status", "reason"),
    *("mode", "format", "width", "height", "sha256", "image_url"),  # of the file as it came
)
BLANK = dict.fromkeys(COLUMNS, "")
BATCH = 256
CPU_SECONDS = 60  # for one picture; the largest allowed take a few


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
        for raw, row in on_all_cores(partial(convert, rgb=rgb), found):
            rows[raw] = row
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


def on_all_cores(
    work: Callable, found: dict[str, str], seconds: float = CPU_SECONDS
) -> Iterator[tuple[str, dict]]:
    """Pairs of file and row, as they come.

    A picture that kills its process takes the pictures beside it along: what is missing of its
    batch is done again, each in a process of its own, and what kills that too is rejected.
    """
    work = partial(_limited, work, seconds)
    pool = _pool()
    try:
        waiting = iter(found.items())
        while left := dict(islice(waiting, BATCH)):
            try:
                jobs = {pool.submit(work, *pair): pair[0] for pair in left.items()}
                for job in as_completed(jobs):
                    row = job.result()
                    del left[jobs[job]]
                    yield jobs[job], row
            except BrokenProcessPool:
                pool = _pool()
                for pair in left.items():
                    yield pair[0], _alone(work, *pair) or _crashed(pair[0], seconds)
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int | None = None) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork copies locks that threads of the parent may hold.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, spawn, initializer=_start_worker)


def _alone(work: Callable, raw: str, file: str) -> dict | None:
    with _pool(1) as pool:
        try:
            return pool.submit(work, raw, file).result()
        except BrokenProcessPool:
            return None


def _crashed(raw: str, seconds: float) -> dict:
    reason = f"its decoder crashed or took more than {seconds} s"
    return BLANK | {
        **{"class": Path(raw).parent.name, "raw": raw, "status": "rejected", "reason": reason}
    }


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends its workers
    warnings.simplefilter("ignore")  # what Pillow says of odd files is in the manifest


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing on the screen of what C and Rust libraries say of a file: they do not name it.

    A process that dies meanwhile is seen by its parent all the same.
    """
    sys.stderr.flush()
    screen, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        os.close(nowhere)


def _limited(work: Callable, seconds: float, raw: str, file: str) -> dict:
    """Do one picture, or die by the signal that CPU time beyond the limit sends."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with quiet():
            return work(raw, file)
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    run(main)
