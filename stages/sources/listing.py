"""A user's own CSV file of pictures, line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

from stages.errors import StudyError


def lines(path: Path, column: str, class_name: str, name: str = "") -> Iterator[dict[str, str]]:
    """The lines of a class, one after another; all have the columns `class` and `column`.

    `name` is what the user knows the file by, if not its path. Raises StudyError where it, also
    after the class's last line, is none of that form.
    """
    name = name or str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="", strict=True)
            if missing := {"class", column} - set(rows.fieldnames or []):
                raise StudyError(
                    f"{name} has no column {' and no column '.join(sorted(missing))}: "
                    f"its first line has to name them, class,{column}"
                )
            for row in rows:
                row.pop(None, None)  # what stands beyond the last column
                if normalize("NFC", row["class"]) == class_name:
                    yield row
    except (OSError, UnicodeError, csv.Error) as error:
        raise StudyError(f"{name} cannot be read as a CSV file ({error})") from None


def files_of(list_: Path, class_name: str, name: str = "") -> dict[str, dict[str, str]]:
    """The files that a list has of a class, each with its last line. Raises StudyError."""
    rows = {row["file"].strip(): row for row in lines(list_, "file", class_name, name)}
    if not rows:
        told = f"{name or list_} has no line of class {class_name}"
        raise StudyError(f"{told}: it needs some of each")
    return rows
