"""Markdown from templates: tables whose columns are even, text of any origin as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import wcwidth
from jinja2 import Environment, FileSystemLoader, StrictUndefined

WIDTH = 100
# What Markdown may take for its own; an underscore within a word is one.
SPECIAL = re.compile(r"([\\`*~\[\]<>&|]|(?<![^\W_])_|_(?![^\W_]))")
ADDRESS = re.compile(r"https?://[^\s<>|]+")


def render(template: Path, facts: Mapping[str, object]) -> str:
    """A template of this folder with its facts; a fact that it lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=False,  # noqa: S701, it is no HTML: `plain` makes text safe
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"counted": counted, "table": table}
    environment.filters |= {"number": "{:,}".format, "plain": plain}
    text = environment.get_template(template.name).render(facts)
    return "\n\n".join(filled(block) for block in re.split("\n{2,}", text.strip())) + "\n"


def filled(block: str) -> str:
    """Lines of WIDTH, where a block is a paragraph or a list with an item a line."""
    if block[0] in "#|`":
        return block
    parts, hang = (block.splitlines(), "  ") if block.startswith("- ") else ([block], "")
    form = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": hang}
    return "\n".join(textwrap.fill(part, WIDTH, **form) for part in parts)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain(text: object) -> str:
    """Text that shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """A name as code; in backticks of a number that it has not itself."""
    text = " ".join(str(text).split()).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def address(text: str) -> str:
    """A link, where the text is an address of the web."""
    return f"<{text}>" if ADDRESS.fullmatch(text) else plain(text)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of cells that are Markdown; those below a heading that are all numbers go right."""
    lines = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in (header, *rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(3, *map(_width, column)) for column in columns]
    right = [bool(rows) and all(map(_is_number, column[1:])) for column in columns]
    rule = [
        "-" * (width - 1) + (":" if at_right else "-")
        for width, at_right in zip(widths, right, strict=True)
    ]
    return "\n".join(_line(cells, widths, right) for cells in (lines[0], rule, *lines[1:]))


def _width(cell: str) -> int:
    return wcwidth.width(cell, control_codes="ignore")


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[\d,.]+( %| MB)?", cell))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    filled = []
    for cell, width, at_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        filled.append(space + cell if at_right else cell + space)
    return f"| {' | '.join(filled)} |"
