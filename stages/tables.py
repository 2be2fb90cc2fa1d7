"""Small text results: CSV tables and JSON, written whole or not at all, always the same bytes."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from stages.errors import StudyError

Row = Mapping[str, object]


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text in one step: a reader sees the old file or the new one, never a part."""
    write_pieces(path, [text])


def write_pieces(path: str | Path, pieces: Iterable[str]) -> None:
    """Write a text, as `write_text` does, of which only one piece is in memory at a time."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as CSV with exactly these columns, in the order given.

    Raises ValueError where a row has a column that is not named, or lacks one.
    """
    write_pieces(path, _lines(path, columns, rows))


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Rows of a CSV table, every value as text. Raises StudyError where there is none."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None


def write_json(path: str | Path, content: object) -> None:
    """Write JSON with two spaces of indent, keys in the order given, a newline at the end."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict:
    """Content of a JSON file. Raises StudyError where there is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None


def _lines(path: str | Path, columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    yield _line(columns)
    for row in rows:
        if wrong := set(columns) ^ set(row):
            raise ValueError(f"{path}: a row lacks, or has besides, {sorted(wrong)}")
        yield _line(row[column] for column in columns)


def _line(values: Iterable[object]) -> str:
    # csv puts quotes around what its own line end holds, so "\r" must be in it while it writes.
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)
    return text.getvalue().removesuffix("\r\n") + "\n"
