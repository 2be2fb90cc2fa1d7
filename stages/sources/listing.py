"""A user's own CSV file of pictures, line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

from stages.errors import StudyError


def lines(path: Path, column: str, class_name: str) -> Iterator[dict[str, str]]:
    """The lines of a class, one after another; all have the columns `class` and `column`.

    Raises StudyError where the file, also after the class's last line, is none of that form.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="", strict=True)
            if missing := {"class", column} - set(rows.fieldnames or []):
                raise StudyError(
                    f"{path} has no column {' and no column '.join(sorted(missing))}: "
                    f"its first line has to name them, class,{column}"
                )
            for row in rows:
                row.pop(None, None)  # what stands beyond the last column
                if normalize("NFC", row["class"]) == class_name:
                    yield row
    except (OSError, UnicodeError, csv.Error) as error:
        raise StudyError(f"{path} cannot be read as a CSV file ({error})") from None
