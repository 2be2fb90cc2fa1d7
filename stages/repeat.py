"""The study of one network again, with another seed for its split and its training.

The stages' own programs run in a folder of its own, on the same pictures and the same pretrained
weights. Only the scores of what they make are kept: activations and models are large.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from stages import params
from stages.errors import StudyError
from stages.runtime.program import run
from stages.statistics.scores import SPLITS, read_predictions, summary
from stages.tables import write_table, write_text

PHASES = ("transfer", "finetune")
SHARED = (Path("stages"), Path("requirements.txt"), Path("data/source_code"), Path("data/rgb"))
SCORES = ("accuracy", "macro_f1")
COLUMNS = ("phase", "split", "images", *SCORES)


def main(model: str, seed: str) -> str:
    settings = params.with_seed(seed)
    folder = Path("models", model, f"repeat-{seed}")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        lay_out(folder, model, settings)
        for program in programs(model):
            run_program(folder, *program)
        rows = list(score_rows(folder / "reports/predictions", model))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    write_table(Path("reports/repeats", f"{model}-{seed}.csv"), COLUMNS, rows)
    return f"accuracy {float(rows[-1]['accuracy']):.3f} on test pictures, fine-tuned"


def lay_out(folder: Path, model: str, settings: str) -> None:
    """A project's folder with the code, what is the same for every seed, and its own settings."""
    pretrained = Path("models", model, "pretrained")
    for shared in (*SHARED, pretrained):
        link = folder / shared
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(shared.resolve(), target_is_directory=shared.is_dir())
    write_text(folder / params.FILE, settings)


def programs(model: str) -> list[tuple[str, ...]]:
    """The stages from the split on, with their words."""
    return [
        ("split",),
        ("features", model),
        ("transfer", model),
        ("finetune", model),
        *(("evaluate", model, phase) for phase in PHASES),
    ]


def run_program(folder: Path, stage: str, *words: str) -> None:
    """Raises StudyError where it fails: it has said why."""
    command = [sys.executable, "-m", f"stages.{stage}", *words]
    code = subprocess.run(command, cwd=folder).returncode  # noqa: S603, a stage of ours
    if code:
        raise StudyError(f"{folder.name}: {stage} failed, for the reason above (exit code {code})")


def score_rows(predictions: Path, model: str) -> Iterator[dict]:
    """A row per phase and split."""
    for phase in PHASES:
        said = read_predictions(predictions / f"{model}-{phase}.csv")
        for split in SPLITS:
            part = said.of(split)
            scores = {name: f"{summary(part)[name]:.6f}" for name in SCORES}
            yield {"phase": phase, "split": split, "images": len(part)} | scores


if __name__ == "__main__":
    run(main)
