"""Contact sheets: many small pictures on one page, each with its name, suspect ones framed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

COLUMNS, ROWS = 10, 10
PER_PAGE = COLUMNS * ROWS
SIDE, GAP, LINE = 104, 10, 13  # pixels: of a picture, around it, of a line of text
LINES = 3  # below each picture
CELL = (SIDE + GAP, SIDE + GAP + LINES * LINE)
HEAD = 40
PAPER, INK, ALARM = "#eceff1", "#1f2328", "#b00020"
BREAK = re.compile(r"[-_ ]")
BYTES = 300_000
QUALITIES = range(85, 20, -5)  # of JPEG; the first that keeps a page below BYTES


@dataclass(frozen=True)
class Cell:
    """A picture to show: `file` to open, its name, and what is wrong with it, if anything."""

    file: str
    name: str
    fault: str


def pages(
    title: str, cells: Sequence[Cell], total: int, opened: Callable[[str], Image.Image]
) -> list[bytes]:
    """JPEG files that show all cells; `total` is of how many pictures these are."""
    parts = [cells[i : i + PER_PAGE] for i in range(0, len(cells), PER_PAGE)]
    made = []
    for number, part in enumerate(parts, start=1):
        faults = sum(bool(cell.fault) for cell in cells)
        shown = f"{len(cells)} of {total:,}" if len(cells) < total else f"{total:,}"
        head = f"{title}: {shown} pictures" + (f", {faults} of them suspect (red)" * bool(faults))
        head += f" – page {number} of {len(parts)}" * (len(parts) > 1)
        made.append(_page(head, part, opened))
    return made


def _page(head: str, cells: Sequence[Cell], opened: Callable[[str], Image.Image]) -> bytes:
    rows = -(-len(cells) // COLUMNS)
    page = Image.new("RGB", (GAP + COLUMNS * CELL[0], HEAD + rows * CELL[1] + GAP), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((GAP, 10), head, INK, _font(18))
    for index, cell in enumerate(cells):
        row, column = divmod(index, COLUMNS)
        left, top = GAP + column * CELL[0], HEAD + row * CELL[1]
        picture = opened(cell.file)
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        corner = (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2)
        page.paste(picture, corner)
        if cell.fault:
            pen.rectangle((left - 3, top - 3, left + SIDE + 2, top + SIDE + 2), None, ALARM, 3)
        lines = _wrapped(cell.name, 1 if cell.fault else LINES)
        pen.text((left, top + SIDE + 3), "\n".join(lines), INK, _font(10), spacing=1)
        if cell.fault:
            place = (left, top + SIDE + 3 + LINE * len(lines))
            pen.text(place, "\n".join(_wrapped(cell.fault, LINES - len(lines))), ALARM, _font(10))
    return _jpeg(page)


def _wrapped(text: str, most: int) -> list[str]:
    """At most so many lines, as wide as a picture, cut after - and _ too; a rest ends in …"""
    lines, left = [], text
    while left and len(lines) < most:
        fits = _fitting(left)
        breaks = [match.end() for match in BREAK.finditer(left[:fits])]
        if fits < len(left) and breaks and breaks[-1] > fits / 2:
            fits = breaks[-1]
        lines.append(left[:fits].rstrip())
        left = left[fits:].lstrip()
    if left:
        lines[-1] = lines[-1][: _fitting(f"…{lines[-1]}") - 1] + "…"
    return lines


def _fitting(text: str) -> int:
    """How many characters fit into a line; at least one."""
    return next((n for n in range(len(text), 1, -1) if _width(text[:n]) <= SIDE), 1)


def _width(text: str) -> float:
    return _font(10).getlength(text)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as Matplotlib brings it: the same on every machine."""
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size)


def _jpeg(page: Image.Image) -> bytes:
    for quality in QUALITIES:
        file = io.BytesIO()
        page.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= BYTES:
            break
    return file.getvalue()
