"""Does fine-tuning pay? The study with several seeds, each with its own split.

    python -m benchmarks.tuned_against_transferred 0 1 2

Runs `dvc repro evaluate` in a clone of its own for each seed (what this checkout's DVC cache
already holds is not run again) and pools validation and test pictures, since 120 test pictures
cannot show a difference of three points. No setting is chosen here, but the recipe was, on
validation pictures (docs/decisions.md): hence the points on test pictures alone.
"""

import csv
import sys
import tempfile
from pathlib import Path
from statistics import fmean as mean
from typing import NamedTuple

import yaml

from benchmarks.workplace import ROOT, clone, run


class Compared(NamedTuple):
    """Transferred against tuned, over validation and test pictures; points are of a hundred."""

    pictures: int
    transferred: float
    tuned: float
    gained: int
    lost: int
    points: float
    points_on_test: float


def main(seeds: list[str]) -> None:
    found: dict[str, list[Compared]] = {}
    print("network seed", *Compared._fields)
    for seed in seeds:
        for model, compared in study(int(seed)).items():
            found.setdefault(model, []).append(compared)
            print(model, seed, *(round(figure, 3) for figure in compared), flush=True)
    for model, rows in found.items():
        pooled, on_test = (
            mean(getattr(row, name) for row in rows) for name in ("points", "points_on_test")
        )
        print(f"{model} mean of {len(rows)} seeds {pooled:+.1f}, on test alone {on_test:+.1f}")


def study(seed: int) -> dict[str, Compared]:
    """Run the study with a seed; what it says of each network."""
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name, "vitoon"))
        dvc = (sys.executable, "-m", "dvc")
        run(folder, *dvc, "cache", "dir", "--local", str(ROOT / ".dvc/cache"))
        params = yaml.safe_load((folder / "params.yaml").read_text())
        params["seed"] = seed
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        run(folder, *dvc, "repro", "--quiet", "evaluate")
        return {model: compare(folder / "reports/predictions", model) for model in params["models"]}


def compare(predictions: Path, model: str) -> Compared:
    before, after = (right(predictions / f"{model}-{p}.csv") for p in ("transfer", "finetune"))
    both = {split: list(zip(before[split], after[split], strict=True)) for split in before}
    pooled = [pair for pairs in both.values() for pair in pairs]
    return Compared(
        pictures=len(pooled),
        transferred=mean(transferred for transferred, _ in pooled),
        tuned=mean(tuned for _, tuned in pooled),
        gained=sum(tuned > transferred for transferred, tuned in pooled),
        lost=sum(tuned < transferred for transferred, tuned in pooled),
        points=points(pooled),
        points_on_test=points(both["test"]),
    )


def points(pairs: list[tuple[bool, bool]]) -> float:
    return 100 * mean(tuned - transferred for transferred, tuned in pairs)


def right(table: Path) -> dict[str, list[bool]]:
    """Of each held-out split, for each picture whether it was classified correctly."""
    found: dict[str, list[bool]] = {"validation": [], "test": []}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] in found:
                found[row["split"]].append(row["actual"] == row["predicted"])
    return found


if __name__ == "__main__":
    main(sys.argv[1:] or ["0", "1", "2"])
