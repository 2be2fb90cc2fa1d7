"""`python -m stages.zoo`: the networks to choose from, as a table."""

from __future__ import annotations

from pathlib import Path

from stages.params import NETWORKS
from stages.runtime.program import run
from stages.zoo import Entry, Package, Published, lookup

COLUMNS = (
    "name", "family", "parameters", "GFLOPs", "pixels", "blocks", "tuned", "rate", "MB", "licence",
    "weights from", "here", "paper",
)  # fmt: skip


def main() -> None:
    rows = [COLUMNS, *(row(name, lookup(name).ENTRY) for name in NETWORKS)]
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
        f"{entry.parameters:,}",
        f"{entry.gflops:.2g}",
        str(entry.image_size),
        str(entry.blocks),
        str(entry.tune_blocks),
        f"{entry.tune_rate:g}",
        f"{entry.parameters * 4 / 1e6:.1f}",  # float32, as the stage writes them
        entry.licence,
        origin(entry.weights),
        "yes" if here else "no",
        entry.paper or "-",
    )


def origin(weights: Package | Published | None) -> str:
    """The package, or the publisher's host and path but for the file."""
    if isinstance(weights, Package):
        return weights.requirement
    if isinstance(weights, Published):
        return weights.url.removeprefix("https://").rpartition("/")[0]
    return "seeded random numbers"


if __name__ == "__main__":
    run(main)
