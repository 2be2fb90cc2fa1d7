"""Tables of the run, printed and written as they come: what is cut short leaves what it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]


class Report:
    """gpu.md and gpu.json in a folder."""

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.text, self.tables = folder, [title], {"device": title}
        print(title, flush=True)

    def add(self, name: str, rows: Sequence[Row]) -> None:
        """A table, unless it is empty; all rows have the same columns."""
        if rows:
            self.text += [f"{name[0].upper()}{name[1:]}:", markdown(rows)]
            self.tables[name] = rows
            print(*self.text[-2:], sep="\n\n", flush=True)
            (self.folder / "gpu.md").write_text("\n\n".join(self.text) + "\n", encoding="utf-8")
            (self.folder / "gpu.json").write_text(
                json.dumps(self.tables, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def markdown(rows: Sequence[Row]) -> str:
    lines = [[*rows[0]], ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
