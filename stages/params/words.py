"""What is wrong in params.yaml, in one line: the place, the value, what is allowed."""

from __future__ import annotations

import re
import reprlib
from pathlib import Path
from typing import NoReturn

from stages.errors import ParameterError

FILE = Path("params.yaml")


def refuse(fault: str, allowed: str) -> NoReturn:
    raise ParameterError(f"{FILE}: {fault}; allowed: {allowed}") from None


def dotted(path: list) -> str:
    return ".".join(text(part) if isinstance(part, str) else str(part) for part in path)


def shown(content: object, path: list) -> str:
    """The value at a place in the file, on one line and short."""
    for key in path:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            break
    if isinstance(content, str):
        return text(content)
    if content is None or isinstance(content, bool):
        return {None: "empty", True: "true", False: "false"}[content]
    try:
        return _cut(reprlib.repr(content))
    except ValueError:
        return "a number of thousands of digits"  # which Python refuses to print


def text(text: str) -> str:
    """As it is where it reads as one word or more, else in quotes."""
    plain = re.fullmatch(r"(?!(?i:true|false|null)$)[^\W\d]\S*( \S+)*", text)
    return _cut(text if plain and text.isprintable() else ascii(text))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
