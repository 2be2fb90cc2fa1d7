"""Time and memory of the report on 100 classes, 10 networks and 10,000 test pictures.

    python -m benchmarks.report_scale

It makes up the study in a folder of its own, reports on it and prints seconds and the peak of
memory. Claimed: at most 60 s and 2 GB.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from stages import report
from stages.exports import agreement
from stages.statistics import runs
from stages.statistics.scores import Predictions, write_predictions
from stages.tables import write_json, write_table, write_text

CLASSES, NETWORKS, TEST, OTHER = 100, 10, 10_000, 2_000  # OTHER: of training, and of validation


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        measure()
        os.chdir("/")


def measure() -> None:
    rng = np.random.default_rng(0)
    names = [f"class {number:02}" for number in range(CLASSES)]
    labels = np.arange(TEST + 2 * OTHER) % CLASSES
    files = [f"{names[label]}/{number}.png" for number, label in enumerate(labels)]
    make_pictures(names, labels, files, rng)
    models = [f"network_{number}" for number in range(NETWORKS)]
    for number, model in enumerate(models):
        for phase in runs.PHASES:
            make_run(model, phase, names, labels, files, 4 + 0.3 * number, rng)
        Path("reports/maps").mkdir(exist_ok=True)
        np.save(f"reports/maps/{model}.npy", rng.integers(0, 256, (TEST, 8, 8), np.uint8))
        write_table(f"reports/exports/{model}.csv", agreement.COLUMNS, [])
    write_text("reports/export_latency.csv", "network,file,machine\n")
    write_text("reports/latency.csv", "network\n")
    write_text("reports/training_time.csv", "network,phase\n")

    off = SimpleNamespace(folds=[], repeats=[])
    report.load = lambda *_: SimpleNamespace(seed=0, models=models, evaluate=off)  # of no zoo
    started = time.monotonic()
    report.main()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    size = Path("reports/report.html").stat().st_size / 1e6
    print(f"{time.monotonic() - started:.1f} s, {peak:.2f} GB at most, page of {size:.1f} MB")


def make_pictures(names: list, labels: np.ndarray, files: list, rng: np.random.Generator) -> None:
    rows = []
    for label, file in zip(labels, files, strict=True):
        path = Path("data/rgb", file)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64)).save(path)
        rows.append({"file": file, "class": names[label], "raw": file, "status": "kept",
                     "reason": "", "mode": "RGB"})  # fmt: skip
    write_table("data/rgb/manifest.csv", list(rows[0]), rows)
    raw = [{"file": file, "title": "A set", "author": "", "licence": "CC0-1.0", "page_url": "",
            "sha256": ""}
           for file in files]  # fmt: skip
    write_table("data/raw/manifest.csv", list(raw[0]), raw)


def make_run(model, phase, names, labels, files, skill, rng) -> None:
    logits = rng.normal(size=(len(labels), CLASSES)) + skill * np.eye(CLASSES)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    splits = np.repeat(["train", "validation", "test"], [OTHER, OTHER, TEST])
    groups = np.array([f"g{number // 2}" for number in range(len(labels))])
    folds = np.repeat([2, 1, 0], [OTHER, OTHER, TEST])
    facts = np.array(files), groups, splits, folds, labels, shares.argmax(axis=1), shares
    said = Predictions(tuple(names), *facts)
    write_predictions(f"reports/predictions/{model}-{phase}.csv", [said])
    if phase == "transfer":
        others = said.where(said.splits != "test")
        others.splits[:] = "test"
        write_predictions(f"reports/folds/{model}-{phase}.csv", [others])
    card = {"title": model, "parameters": 1e6, "trained_parameters": 1000,
            "bytes": {"weights": 4e6 * skill, "with_optimizer": 9e6 * skill}}  # fmt: skip
    write_json(f"reports/cards/{model}-{phase}.json", card | {"parameters": int(1e6 * skill)})
    for pictures in runs.WATCHED:
        for metric in runs.CURVES:
            folder = Path("reports/training", f"{model}-{phase}", "plots/metrics", pictures)
            lines = [f"step\t{metric}", *(f"{epoch}\t{1 - 0.5 / epoch}" for epoch in range(1, 51))]
            write_text(folder / f"{metric}.tsv", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
