"""The code of every stage, network and source as fingerprints, on which the other stages depend.

DVC has no dependency on a part of a file, on an imported module or on what a parameter chooses.
So this stage runs whenever a file of stages/ or a pinned package changes, within a second, and what
it writes changes for those stages alone whose results may: see runtime/fingerprints.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages.errors import StudyError
from stages.params import NETWORKS, load
from stages.runtime.fingerprints import fingerprint
from stages.runtime.program import run
from stages.tables import write_table

FOLDER = Path("data/source_code")
COLUMNS = ("name", "fingerprint")
STAGES = (
    *("scrape", "to_rgb", "checks", "split", "weights", "features", "transfer", "finetune"),
    *("evaluate", "explain", "export", "finetune_fold", "repeat", "report", "cards"),
)


def main() -> str:
    scrape = load("scrape.source").scrape
    sources = [scrape.source] if isinstance(scrape.source, str) else scrape.source
    tables = fingerprints(sources)
    for name, rows in tables.items():
        write_table(FOLDER / f"{name}.csv", COLUMNS, rows)
    if fingerprints(sources) != tables:
        raise StudyError("code was changed while its fingerprints were taken: run this again")
    return f"fingerprints of {len(STAGES)} stages and {len(NETWORKS)} networks taken"


def fingerprints(sources: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """A table for each stage, that of `scrape` with the chosen sources, and for each network."""
    chosen = {"scrape": [f"stages.sources.{source}" for source in sources]}
    found = {name: fingerprint(f"stages.{name}", *chosen.get(name, [])) for name in STAGES}
    return found | {f"networks/{name}": fingerprint(f"stages.zoo.{name}") for name in NETWORKS}


if __name__ == "__main__":
    run(main)
