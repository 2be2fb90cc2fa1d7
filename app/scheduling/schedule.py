"""Stages side by side: each starts when what it needs is there and a place is free."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from stages.errors import InterruptedStageError, StudyError


class Stage(Protocol):
    addressing: str  # its name


class Plan(Protocol):
    """What is to be done; its methods are called in the thread that calls `run_all`, in turn."""

    order: Sequence[Stage]  # each after those that it needs
    needs: Mapping[Stage, set[Stage]]

    def settled(self, stage: Stage) -> bool: ...

    def commit(self, stage: Stage) -> None: ...


class Runner(Protocol):
    """Where stages run; `run` is called in `jobs` threads at once, and raises StudyError."""

    jobs: int

    def run(self, stage: Stage) -> None: ...

    def interrupt(self) -> None: ...


@dataclass
class Outcome:
    """How many stages ran, and were unchanged; the names of those that failed, and that did not
    run as they need one of these."""

    run: int = 0
    unchanged: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def run_all(plan: Plan, runner: Runner) -> Outcome:
    """Run every stage that needs it. One that fails keeps only those from running that need it.

    Raises InterruptedStageError; what had ended by then is committed.
    """
    outcome, left, done = Outcome(), list(plan.order), set()
    running: dict[Future, Stage] = {}
    with ThreadPoolExecutor(runner.jobs) as threads:
        try:
            while left or running:
                while len(running) < runner.jobs and (stage := _ready(plan, left, done)):
                    left.remove(stage)
                    with _counted(plan, stage, left, outcome):
                        if plan.settled(stage):
                            outcome.unchanged += 1
                            done.add(stage)
                        else:
                            running[threads.submit(runner.run, stage)] = stage
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    stage = running.pop(future)
                    with _counted(plan, stage, left, outcome):
                        future.result()
                        plan.commit(stage)
                        outcome.run += 1
                        done.add(stage)
        except KeyboardInterrupt:
            runner.interrupt()
            raise InterruptedStageError("interrupted; the same command goes on") from None
    return outcome


def _ready(plan: Plan, left: Sequence[Stage], done: set[Stage]) -> Stage | None:
    return next((stage for stage in left if plan.needs[stage] <= done), None)


@contextmanager
def _counted(plan: Plan, stage: Stage, left: list[Stage], outcome: Outcome) -> Iterator[None]:
    """What fails in the block is the stage's failure, told and counted with what it holds up."""
    try:
        yield
    except StudyError as error:
        print(f"[{stage.addressing}] {error}", file=sys.stderr, flush=True)
        outcome.failed.append(stage.addressing)
        _skip_dependents(plan, stage, left, outcome)


def _skip_dependents(plan: Plan, failed: Stage, left: list[Stage], outcome: Outcome) -> None:
    lost = {failed}
    for stage in list(left):  # in their order, so that what needs a lost one comes after it
        if plan.needs[stage] & lost:
            lost.add(stage)
            left.remove(stage)
            outcome.skipped.append(stage.addressing)
