"""Does fine-tuning pay? The study with several seeds, each with its own split.

    python -m benchmarks.tuned_against_transferred 0 1 2

Runs `dvc repro evaluate` in a clone of its own for each seed (what this checkout's DVC cache
already holds is not run again) and pools validation and test pictures, since 120 test pictures
cannot show a difference of three points. No setting is chosen here.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.workplace import ROOT, environment


def main(seeds: list[str]) -> None:
    gains: dict[str, list[float]] = {}
    print("network seed pictures transferred tuned gained lost points")
    for seed in seeds:
        for model, figures in study(int(seed)).items():
            before, after, gained, lost, pictures = figures
            points = 100 * (after - before)
            gains.setdefault(model, []).append(points)
            print(
                f"{model} {seed} {pictures} {before:.3f} {after:.3f} {gained} {lost} {points:+.1f}"
            )
    for model, points in gains.items():
        print(f"{model} mean of {len(points)} seeds {sum(points) / len(points):+.1f} points")


def study(seed: int) -> dict[str, tuple]:
    """Run the study with a seed; for each network what `compared` says."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "vitoon")
        run(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
        run(clone, sys.executable, "-m", "dvc", "cache", "dir", "--local", str(ROOT / ".dvc/cache"))
        params = yaml.safe_load((clone / "params.yaml").read_text())
        params["seed"] = seed
        (clone / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        run(clone, sys.executable, "-m", "dvc", "repro", "--quiet", "evaluate")
        return {model: compared(clone / "reports/predictions", model) for model in params["models"]}


def compared(predictions: Path, model: str) -> tuple[float, float, int, int, int]:
    """Accuracy transferred and tuned, pictures gained and lost by tuning, number of pictures."""
    transferred, tuned = (right(predictions / f"{model}-{p}.csv") for p in ("transfer", "finetune"))
    gained = sum(after > before for before, after in zip(transferred, tuned, strict=True))
    lost = sum(after < before for before, after in zip(transferred, tuned, strict=True))
    count = len(tuned)
    return sum(transferred) / count, sum(tuned) / count, gained, lost, count


def right(table: Path) -> list[bool]:
    """For each validation or test picture whether it was classified correctly."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "train"]
    return [row["actual"] == row["predicted"] for row in rows]


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:] or ["0", "1", "2"])
