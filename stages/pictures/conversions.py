"""What becomes of a picture, and of those so far: a stage that is killed does not do them again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import IO

from stages.params import Rgb
from stages.pictures import decoding, images

COLUMNS = (
    *("file", "class", "raw", "status", "reason"),
    *("mode", "format", "width", "height", "sha256", "image_url"),  # of the file as it came
)
BLANK = dict.fromkeys(COLUMNS, "")


def convert(raw: str, data: bytes, rgb: Rgb) -> tuple[dict, bytes | None]:
    """The row of one picture, and its PNG where it is kept."""
    row = {"class": Path(raw).parent.name, "raw": raw, "sha256": _digest(data)}
    try:
        picture = decoding.decode(data, rgb.max_megapixels, rgb.max_side)
        width, height = picture.size
        row |= {"mode": picture.mode, "format": picture.format, "width": width, "height": height}
        picture = images.shrink(images.to_rgb(picture, rgb.background), rgb.max_side)
    except images.PictureError as error:
        return rejected(raw, str(error)) | row, None
    return BLANK | row | {"status": "kept"}, images.as_png(picture)


def rejected(raw: str, reason: str) -> dict:
    """The row of a picture that is not kept."""
    row = {"class": Path(raw).parent.name, "raw": raw, "status": "rejected", "reason": reason}
    return BLANK | row


class Conversions:
    """A folder of PNG files, and a line for each picture, kept or not, as it is added."""

    def __init__(self, folder: Path) -> None:
        self.pictures, self.lines = folder / "rgb", folder / "lines"
        self.done: dict[str, tuple[dict, str]] = {}
        self.file: IO[str] | None = None

    def __enter__(self) -> Conversions:
        self.pictures.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self.done = _read(self.lines)
        if self.done:
            print(f"goes on after {len(self.done):,} pictures", flush=True)
        self.file = self.lines.open("a", encoding="utf-8")
        self.file.write("\n")  # the last line may have no end
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def row(self, raw: str, file: str, data: bytes) -> dict | None:
        """What was made of a picture; None where it was nothing, of other bytes, or is damaged."""
        row, png = self.done.get(raw, (None, ""))
        if row is None or row["sha256"] != _digest(data):
            return None
        if not row["file"]:
            return row
        path = self.pictures / file
        is_whole = path.is_file() and _digest(path.read_bytes()) == png
        return row if row["file"] == file and is_whole else None

    def add(self, row: dict, png: bytes | None) -> dict:
        """Write a picture, and then the line that says so. Returns the row."""
        if png is not None:
            path = self.pictures / row["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png)
        self.file.write(json.dumps([row, _digest(png or b"")]) + "\n")
        self.file.flush()
        return row


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> dict[str, tuple[dict, str]]:
    """Row and digest of the PNG for each picture; a line that a kill has cut is none."""
    found = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            row, png = json.loads(text)
        except ValueError:
            continue
        found[row["raw"]] = row, png
    return found
