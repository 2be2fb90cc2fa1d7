"""`python -m app.repro`: `dvc repro`, with stages side by side that do not need each other.

DVC runs one stage at a time (its issue 755). Here each stage starts as soon as its inputs are
there: on this machine's cores or, with `compute.engine: ray` in params.yaml, on a cluster's.
Results are committed to DVC as `dvc repro` does it, which then finds nothing left to run;
docs/parallel.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager

from app.scheduling import local
from app.scheduling.pipeline import Pipeline
from app.scheduling.schedule import Runner, run_all
from stages.errors import ParameterError, StudyError
from stages.params import FILE, compute
from stages.runtime.program import run_command


def main(targets: Sequence[str], jobs: int | None, force: bool) -> str:
    if jobs is not None and jobs < 1:
        raise ParameterError(f"--jobs is {jobs}; allowed: 1 or more")
    with Pipeline(targets, force) as pipeline, runner(jobs) as places:
        outcome = run_all(pipeline, places)
    if outcome.failed:
        lost = f"; not run, as they need one of these: {', '.join(outcome.skipped)}"
        raise StudyError(f"failed: {', '.join(outcome.failed)}{lost if outcome.skipped else ''}")
    return f"{outcome.run} stages run, {outcome.unchanged} unchanged or restored"


def runner(jobs: int | None) -> AbstractContextManager[Runner]:
    """Where stages run, as params.yaml says; a project without one has its own cores."""
    settings = compute() if FILE.exists() else None
    if settings is None or settings.engine == "local":
        return local.Cores(jobs)
    from app.scheduling.on_ray import RayTasks  # here: Ray takes a second, and may be absent

    return RayTasks(settings, jobs)


def words() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m app.repro", description=__doc__)
    found.add_argument("targets", nargs="*", metavar="stage", help="and what it needs; else all")
    found.add_argument("-j", "--jobs", type=int, metavar="N", help="stages side by side, at most")
    found.add_argument("-f", "--force", action="store_true", help="run unchanged stages too")
    return found


if __name__ == "__main__":
    run_command(main, words())
