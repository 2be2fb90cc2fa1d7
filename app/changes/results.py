"""The results of the study as it lies here, and of another revision without a checkout."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc.api import DVCFileSystem

from stages.errors import StudyError
from stages.figures.report_data import RAW, RGB, Study
from stages.params import load
from stages.statistics.runs import Run, read_runs
from stages.tables import read_table

METRICS = "reports/test_accuracy.json"  # names the networks of a revision, in their order
NEEDED = ("reports/cards", "reports/predictions", "reports/training", RAW, RGB)

Picture = tuple[str, str]  # its class and the sha256 of its original file


@dataclass(frozen=True)
class Results:
    """The runs of one revision, and which pictures they saw."""

    revision: str
    study: Study  # its runs alone, without pictures
    pictures: Mapping[str, Picture]  # by file of data/rgb

    @property
    def runs(self) -> Sequence[Run]:
        return self.study.runs


def of_workspace() -> Results:
    """What `dvc repro` has made here. Raises StudyError where a part is missing."""
    params = load("seed", "models")
    return results_in(Path(), "workspace", params.models, params.seed)


def of_revision(revision: str, seed: int) -> Results:
    """What was made at a revision, from DVC's cache or else its remote.

    `seed` is that of the bootstrap, the same for both sides. Raises StudyError where Git does not
    know the revision, or nothing was committed or kept of its results.
    """
    require_revision(revision)
    there = DVCFileSystem(rev=revision)
    try:
        models = list(json.loads(there.read_text(METRICS)))
    except FileNotFoundError:
        raise StudyError(
            f"{revision} has no results: there is no {METRICS} in it. "
            f"On {revision}, `dvc repro` makes it; commit it with dvc.lock"
        ) from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in NEEDED:
            _get(there, revision, path, folder / path)
        try:
            return results_in(folder, revision, models, seed)
        except StudyError as error:
            raise StudyError(f"{revision}: {error}".replace(f"{folder}/", "")) from None


def require_revision(revision: str) -> None:
    """Raises StudyError unless Git knows a commit of this name here."""
    command = [
        "git",
        "rev-parse",
        "--quiet",
        "--verify",
        "--end-of-options",
        f"{revision}^{{commit}}",
    ]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603
        raise StudyError(
            f"Git knows no revision {revision} here: `git fetch` brings those of others, "
            "`git branch --all` lists them"
        )


def _get(there: DVCFileSystem, revision: str, path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        there.get(path, str(target), recursive=True)
    except Exception as error:  # each kind of remote raises its own
        raise StudyError(
            f"{path} of {revision} is neither in DVC's cache nor to be had from a remote "
            f"({' '.join(str(error).split())}): whoever has made it runs `dvc push` on {revision}, "
            "or `dvc repro` makes it there"
        ) from None


def results_in(folder: Path, revision: str, models: Sequence[str], seed: int) -> Results:
    """The results whose files lie in a folder. Raises StudyError where one is missing."""
    runs = read_runs(models, folder / "reports")
    originals = {row["file"]: row["sha256"] for row in read_table(folder / RAW)}
    pictures = {
        row["file"]: (row["class"], originals.get(row["raw"], row["raw"]))
        for row in read_table(folder / RGB)
        if row["file"]
    }
    study = Study(
        seed,
        runs,
        found=(),
        raw={},
        latency={},
        training_time={},
        exports={},
        export_latency={},
        maps={},
    )
    return Results(revision, study, pictures)
