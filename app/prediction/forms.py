"""Answers as text, one line each as they come: a table for people, JSON Lines, CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import TextIO

from wcwidth import wcswidth

from app.prediction.answers import Answer

NONE = "none of these"
WIDTH = 40  # columns for a name
Write = Callable[[Answer], None]


def table(file: TextIO, classes: list[str], top: int) -> Write:
    """For a terminal: nothing in a name moves its cursor, and the end of a long one is kept."""

    def write(answer: Answer) -> None:
        if answer.reason:
            print(fitted(answer.name, WIDTH), f"not read: {answer.reason}", file=file, flush=True)
            return
        guesses = [f"{name} {100 * p:.1f} %" for name, p in answer.first(top)]
        named = [] if answer.known else [NONE + ":"]
        print(fitted(answer.name, WIDTH), *named, ", ".join(guesses), file=file, flush=True)

    return write


def json_lines(file: TextIO, classes: list[str], top: int) -> Write:
    def write(answer: Answer) -> None:
        guesses = [{"class": name, "probability": round(p, 6)} for name, p in answer.first(top)]
        said = {"picture": answer.name, "class": answer.best, "guesses": guesses}
        said["problem"] = answer.reason or None
        print(json.dumps(said, ensure_ascii=False), file=file, flush=True)

    return write


def comma_separated(file: TextIO, classes: list[str], top: int) -> Write:
    """A column for each of the first classes and its probability."""
    top = min(top, len(classes))
    places = [str(place) for place in range(1, top + 1)]
    heads = [text for place in places for text in (f"class_{place}", f"probability_{place}")]
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(["picture", "class", *heads, "problem"])

    def write(answer: Answer) -> None:
        guesses = [text for name, p in answer.first(top) for text in (name, f"{p:.6f}")]
        guesses += [""] * (2 * top - len(guesses))
        lines.writerow([answer.name, answer.best or "", *guesses, answer.reason])
        file.flush()

    return write


def fitted(text: str, width: int) -> str:
    """Printable, and of this many columns: its end where it is longer, which tells files apart."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    while wcswidth(text) > width:
        text = "…" + text.lstrip("…")[1:]
    return text + " " * (width - wcswidth(text))


FORMS: dict[str, Callable[[TextIO, list[str], int], Write]] = {
    "table": table,
    "jsonl": json_lines,
    "csv": comma_separated,
}
