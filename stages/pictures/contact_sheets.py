"""Contact sheets: many small pictures on one page, each with its name, suspect ones framed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import wcwidth
from PIL import Image, ImageDraw, ImageFont

from stages.pictures.fonts import DEJAVU, runs

COLUMNS, ROWS = 10, 10
PER_PAGE = COLUMNS * ROWS
SIDE, GAP, LINE = 104, 10, 13  # pixels: of a picture, around it, of a line of text
LINES = 3  # below each picture
CELL = (SIDE + GAP, SIDE + GAP + LINES * LINE)
TEXT, NARROW = 10, 11  # pixels: of letters, from line to line of a name
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
    _write(pen, (GAP, 10), [head], INK, 18)
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
        _write(pen, (left, top + SIDE + 3), lines, INK, height=NARROW)
        if cell.fault:
            place = (left, top + SIDE + 3 + LINE * len(lines))
            _write(pen, place, _wrapped(cell.fault, LINES - len(lines)), ALARM)
    return _jpeg(page)


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[int, int],
    lines: Sequence[str],
    ink: str,
    size: int = TEXT,
    height: int = LINE + 1,
) -> None:
    """Lines of text from their upper left corner, each part of them in a font that has it."""
    left, base = place[0], place[1] + _font(DEJAVU, size).getmetrics()[0]
    for number, line in enumerate(lines):
        right = left
        for file, part in runs(line):
            font = _font(file, size)
            pen.text((right, base + number * height), part, ink, font, anchor="ls")
            right += font.getlength(part)


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
    """How many characters fit into a line, none without the marks on it; at least one."""
    ends = list(accumulate(map(len, wcwidth.iter_graphemes(text))))
    return next((end for end in reversed(ends[1:]) if _width(text[:end]) <= SIDE), ends[0])


def _width(text: str) -> float:
    return sum(_font(file, TEXT).getlength(part) for file, part in runs(text))


@cache
def _font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _jpeg(page: Image.Image) -> bytes:
    for quality in QUALITIES:
        file = io.BytesIO()
        page.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= BYTES:
            break
    return file.getvalue()
