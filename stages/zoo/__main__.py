"""`python -m stages.zoo`: the networks to choose from, as a table."""

from __future__ import annotations

from pathlib import Path

from stages.errors import run
from stages.zoo import NAMES, Entry, lookup

COLUMNS = (
    "name", "family", "title", "parameters", "pixels", "features", "blocks", "tuned", "rate",
    "licence", "weights from", "here", "paper",
)  # fmt: skip


def main() -> None:
    rows = [COLUMNS, *(row(name, lookup(name).ENTRY) for name in NAMES)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print("  ".join(padded).rstrip())


def row(name: str, entry: Entry) -> tuple[str, ...]:
    """What the table says of one network; `here` is whether the stage weights has run."""
    here = Path("models", name, "pretrained", "backbone.safetensors").exists()
    return (
        name,
        entry.family,
        entry.title,
        f"{entry.parameters:,}",
        str(entry.image_size),
        str(entry.features),
        str(entry.blocks),
        str(entry.tune_blocks),
        f"{entry.tune_rate:g}",
        entry.licence,
        entry.weights.requirement if entry.weights else "seeded random numbers",
        "yes" if here else "no",
        entry.paper or "-",
    )


if __name__ == "__main__":
    run(main)
