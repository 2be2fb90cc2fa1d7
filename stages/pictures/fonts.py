"""Fonts for text in pictures: DejaVu Sans, and an installed font for the letters that it lacks.

DejaVu Sans comes with Matplotlib, the same on every machine. Installed fonts are looked for only
where a text needs one: such a picture depends on the fonts of the machine that draws it.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import wcwidth
from matplotlib.ft2font import FaceFlags, FT2Font

DEJAVU = Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
VARIATION_SELECTORS = {chr(code) for code in range(0xFE00, 0xFE10)}
BOXES = "LastResort"  # a font of every letter there is, each as a box
SYMBOLS = "emoji and symbols"
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")  # as Unicode's names begin

_without: set[str] = set()  # letters, with the marks on them, that were asked for and no font has


def runs(text: str) -> list[tuple[Path, str]]:
    """The parts of a text, each with the file of a font that has its letters.

    A word stays whole where one font has it all, as letters of some scripts join. What no font has
    is left to DejaVu Sans, which draws boxes; `tell_missing` names it.
    """
    if font_of(text) == DEJAVU:
        return [(DEJAVU, text)]
    parts: list[tuple[Path, str]] = []
    for is_word, graphemes in groupby(wcwidth.iter_graphemes(text), lambda g: g[0].isalnum()):
        pieces = list(graphemes)
        whole = font_of("".join(pieces)) if is_word else None
        for piece in pieces:
            font = whole or font_of(piece)
            if font is None:
                _without.add(piece)
            if parts and parts[-1][0] == (font or DEJAVU):
                piece = parts.pop()[1] + piece
            parts.append((font or DEJAVU, piece))
    return parts


def font_of(text: str) -> Path | None:
    """DejaVu Sans if it has all letters, else the first installed font that has."""
    codes = frozenset(ord(c) for c in text if not _invisible(c))
    return DEJAVU if codes <= _codes(DEJAVU) else _installed_font(codes)


def _invisible(letter: str) -> bool:
    """Joiners, directions, control characters: a font need not have them."""
    return unicodedata.category(letter) in ("Cc", "Cf") or letter in VARIATION_SELECTORS


def missing() -> set[str]:
    """Letters, with the marks on them, that this process has asked for and no font has."""
    return set(_without)


def add_missing(letters: Iterable[str]) -> None:
    """What another process has found, for `tell_missing`."""
    _without.update(letters)


def tell_missing(place: str, stage: str) -> None:
    """Say in one line which letters are boxes in the pictures drawn so far, and what to install."""
    if not _without:
        return
    scripts: dict[str, list[str]] = {}
    for letter in sorted(_without):
        scripts.setdefault(_script(letter), []).append(letter)
    told = ", ".join(f"{name} ({' '.join(some[:8])})" for name, some in scripts.items())
    packages = ", ".join(sorted({_package(script) for script in scripts}))
    print(
        f"no installed font has {told}: boxes in {place}. Install one (Debian: {packages}), "
        f"then `dvc repro -f -s {stage}`",
        file=sys.stderr,
        flush=True,
    )


@lru_cache(maxsize=4096)
def _installed_font(codes: frozenset[int]) -> Path | None:
    return next((file for file in _installed() if codes <= _codes(file)), None)


@cache
def _installed() -> list[Path]:
    """Font files that can be drawn at any size, plain sans-serifs of Noto first, then by name."""
    from matplotlib import font_manager  # here: at first it reads every font there is

    ranked = []
    for file in font_manager.findSystemFonts():
        try:
            font = FT2Font(file)
        except (RuntimeError, OSError):  # not one that FreeType reads
            continue
        family, style = font.family_name, font.style_name
        flags = font.face_flags
        drawn = FaceFlags.SCALABLE in flags and FaceFlags.COLOR not in flags
        if drawn and BOXES not in family.replace(" ", ""):
            plain = (family.startswith("Noto Sans"), "Sans" in family, style == "Regular")
            ranked.append(([not is_so for is_so in plain], family, style, Path(file)))
    return [file for *_, file in sorted(ranked)]


@cache
def _codes(file: Path) -> frozenset[int]:
    return frozenset(FT2Font(file).get_charmap())


def _script(letter: str) -> str:
    """As Unicode's names begin, which is about the script."""
    if unicodedata.category(letter[0]) in ("So", "Sk"):
        return SYMBOLS
    return unicodedata.name(letter[0], "unknown").partition(" ")[0]


def _package(script: str) -> str:
    """Debian's package of fonts for a script."""
    if script == SYMBOLS:
        return "fonts-symbola"
    return "fonts-noto-cjk" if script in EAST_ASIAN else "fonts-noto-core"
