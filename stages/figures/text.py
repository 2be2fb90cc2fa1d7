"""Text in figures: how wide it is, how much of it fits, and the fonts it is drawn in."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import wcwidth
from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from stages.pictures import fonts

FAMILY = "DejaVu Sans"
COLUMN = 0.56  # of a font's size: the mean width of a letter


def columns(text: str) -> int:
    """How wide a text is, in letters of Latin: as in a terminal, 猫 is two wide, a mark none."""
    return wcwidth.width(text, control_codes="ignore")


def shortened(text: str, fits: int) -> str:
    """As much of a text as fits into this many columns."""
    if columns(text) <= fits:
        return text
    return wcwidth.clip(text, 0, fits - 1, control_codes="ignore").rstrip() + "…"


def fitting(text: str, width: float, size: float = 10) -> str:
    """As much of a text as fits into this many pixels."""
    return shortened(text, max(4, int(width / (COLUMN * size))))


def has_other_fonts(text: str) -> bool:
    """Whether a text has letters that DejaVu Sans lacks: Matplotlib measures boxes then."""
    return fonts.font_of(text) != fonts.DEJAVU


def add_fonts(canvas: Canvas) -> None:
    """Give each text with letters that DejaVu Sans lacks the installed fonts that have them."""
    for text in canvas.findobj(Text):
        files = dict.fromkeys(file for file, _ in fonts.runs(text.get_text()))
        if files.keys() - {fonts.DEJAVU}:
            text.set_family([FAMILY, *map(_family, files.keys() - {fonts.DEJAVU})])


@cache
def _family(file: Path) -> str:
    """The name by which Matplotlib knows a font from now on."""
    fontManager.addfont(file)
    return FT2Font(file).family_name


@contextmanager
def no_warnings_of_fonts() -> Iterator[None]:
    """Matplotlib has one for each letter and weight; `fonts.tell_missing` says it in a line."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            yield
    finally:
        logger.setLevel(level)
