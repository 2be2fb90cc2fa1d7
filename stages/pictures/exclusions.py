"""data/exclude.csv: pictures that somebody has looked at and does not want, and why."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.errors import StudyError

FILE = Path("data/exclude.csv")
COLUMNS = ["file", "sha256", "reason"]
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Exclusion:
    """One line. A picture is known by its bytes (`sha256`); where none are given, by its name."""

    line: int
    file: str
    sha256: str
    reason: str

    @property
    def key(self) -> str:
        return self.sha256 or self.file


def keys(row: dict) -> tuple[str, str]:
    """By what an exclusion may name a row of data/rgb/manifest.csv."""
    return row["sha256"], row["raw"]


def read(path: Path = FILE) -> list[Exclusion]:
    """The exclusions of a file with the columns COLUMNS. Raises StudyError, one line."""
    try:
        lines = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True))
    except FileNotFoundError:
        raise StudyError(
            f"{path} is missing: `git checkout {path}` brings it back, or write its head "
            f"{','.join(COLUMNS)}"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{path} cannot be read ({error}): save it as CSV in UTF-8") from None
    if not lines or lines[0] != COLUMNS:
        found = ",".join(lines[0])[:60] if lines else "nothing"
        raise StudyError(f"{path} starts with {found}; its first line is {','.join(COLUMNS)}")
    return [
        _exclusion(path, number, cells) for number, cells in enumerate(lines[1:], 2) if any(cells)
    ]


def apply(exclusions: Sequence[Exclusion], rows: list[dict]) -> tuple[list[dict], list[Exclusion]]:
    """The rows, those of excluded pictures marked so; and the exclusions that mean none of them."""
    wanted = {exclusion.key: exclusion for exclusion in reversed(exclusions)}
    met, marked = set(), []
    for row in rows:
        found = [wanted[key] for key in keys(row) if key in wanted]
        met.update(exclusion.key for exclusion in found)
        if found:
            row = row | {"file": "", "status": "excluded", "reason": found[0].reason}
        marked.append(row)
    return marked, [exclusion for exclusion in exclusions if exclusion.key not in met]


def _exclusion(path: Path, number: int, cells: Sequence[str]) -> Exclusion:
    where = f"{path}, line {number}"
    if len(cells) != len(COLUMNS):
        raise StudyError(
            f"{where} has {len(cells)} columns, not {','.join(COLUMNS)}: "
            'put "quotes" around a text with a comma'
        )
    file, sha256, reason = (cell.strip() for cell in cells)
    if not file and not sha256:
        raise StudyError(f"{where} names no picture: give its file in data/raw, or its sha256")
    if sha256 and not SHA256.fullmatch(sha256.lower()):
        raise StudyError(f"{where} has the sha256 {sha256[:70]}: it is 64 digits of 0-9 and a-f")
    if not reason:
        raise StudyError(f"{where} gives no reason to exclude {file or sha256}: write one")
    return Exclusion(number, file.removeprefix("data/raw/"), sha256.lower(), reason)
