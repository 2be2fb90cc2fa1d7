"""The study of one network again, with another seed for its split and its training.

Pictures, pretrained weights and what the frozen backbone makes of them are the same for every
seed. Only the scores are kept: models are large.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages import params
from stages.errors import StudyError
from stages.pictures import datasets
from stages.pictures.datasets import Listing
from stages.runtime.program import run
from stages.statistics.scores import SPLITS, from_logits, summary
from stages.tables import write_table, write_text
from stages.training.both_phases import both_phases

SHARED = (Path("stages"), Path("requirements.txt"), Path("data/source_code"), Path("data/rgb"))
SCORES = ("accuracy", "macro_f1")
COLUMNS = ("phase", "split", "images", *SCORES)


def main(model: str, seed: str) -> str:
    own = params.load("device", "rgb.background", "split", "augment", "transfer", "finetune")
    listing = other_split(Path("models", model, f"repeat-{seed}"), params.with_seed(seed))
    own.seed = int(seed)
    with both_phases(f"seed-{seed}", model, listing, own) as (transferred, tuned):
        rows = [
            *score_rows("transfer", listing, transferred.logits),
            *score_rows("finetune", listing, tuned.logits),
        ]
        write_table(Path("reports/repeats", f"{model}-{seed}.csv"), COLUMNS, rows)
    return f"accuracy {float(rows[-1]['accuracy']):.3f} on test pictures, fine-tuned"


def other_split(folder: Path, settings: str) -> Listing:
    """What stage `split` makes with these settings, in a folder that is gone again after it."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        for shared in SHARED:
            link = folder / shared
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(shared.resolve(), target_is_directory=shared.is_dir())
        write_text(folder / params.FILE, settings)
        command = [sys.executable, "-m", "stages.split"]
        code = subprocess.run(command, cwd=folder).returncode  # noqa: S603, a stage of ours
        if code:
            raise StudyError(
                f"{folder.name}: split failed, for the reason above (exit code {code})"
            )
        return datasets.read_listing(folder / "data/split.csv")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def score_rows(phase: str, listing: Listing, logits: np.ndarray) -> Iterator[dict]:
    """A row per split."""
    said = from_logits(listing, logits)
    for split in SPLITS:
        part = said.of(split)
        scores = summary(part)
        figures = {name: f"{scores[name]:.6f}" for name in SCORES}
        yield {"phase": phase, "split": split, "images": len(part)} | figures


if __name__ == "__main__":
    run(main)
