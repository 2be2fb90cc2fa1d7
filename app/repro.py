"""`python -m app.repro`: `dvc repro`, with stages side by side that do not need each other.

DVC runs one stage at a time (its issue 755). Here each stage starts as soon as its inputs are
there, on this machine's cores. Results are committed to DVC as `dvc repro` does it, which then finds
nothing left to run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from app.scheduling import local
from app.scheduling.pipeline import Pipeline
from app.scheduling.schedule import run_all
from stages.errors import StudyError
from stages.runtime.program import run_command


def main(targets: Sequence[str], jobs: int | None, force: bool) -> str:
    with Pipeline(targets, force) as pipeline, local.Cores(jobs) as runner:
        outcome = run_all(pipeline, runner)
    if outcome.failed:
        lost = f"; not run, as they need one of these: {', '.join(outcome.skipped)}"
        raise StudyError(f"failed: {', '.join(outcome.failed)}{lost if outcome.skipped else ''}")
    return f"{outcome.run} stages run, {outcome.unchanged} unchanged or restored"


def words() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m app.repro", description=__doc__)
    found.add_argument("targets", nargs="*", metavar="stage", help="and what it needs; else all")
    found.add_argument("-j", "--jobs", type=int, metavar="N", help="stages side by side, at most")
    found.add_argument("-f", "--force", action="store_true", help="run unchanged stages too")
    return found


if __name__ == "__main__":
    run_command(main, words())
