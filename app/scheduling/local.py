"""Stages as processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress

import psutil
from dvc.stage import Stage
from dvc.stage.run import prepare_kwargs

from app.scheduling.pipeline import commands
from stages.errors import StudyError
from stages.runtime.processors import cores
from stages.runtime.program import with_this_python
from stages.runtime.tensorflow_messages import has_nvidia_gpu

MEMORY = 4 << 30  # bytes, for one stage: the largest of the zoo takes 3.3 GB


class Cores:
    """The cores of this machine, for so many stages side by side.

    Each line that one writes has its name before it. Its block ends what still runs. Unless told
    otherwise a machine with a GPU runs one at a time: TensorFlow gives each stage all GPUs.
    """

    def __init__(self, jobs: int | None) -> None:
        self.jobs = jobs or (1 if has_nvidia_gpu() else at_once())
        self._processes: set[subprocess.Popen] = set()
        self._ended = False

    def __enter__(self) -> Cores:
        return self

    def __exit__(self, *_: object) -> None:
        self.interrupt()

    def run(self, stage: Stage) -> None:
        """Raises StudyError where a command ends in another exit code than 0."""
        if self._ended:
            raise StudyError("not started")
        say(stage, f"> {commands(stage)}")
        given = prepare_kwargs(stage)
        given |= {"shell": True, "env": with_this_python(given["env"])}
        process = subprocess.Popen(  # noqa: S603, a command of dvc.yaml
            commands(stage),
            **given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches it by `interrupt`, and only once
        )
        started = time.monotonic()
        self._processes.add(process)
        with process:
            for line in process.stdout:
                say(stage, line.rstrip("\n"))
        self._processes.discard(process)
        if process.returncode:
            raise StudyError(f"failed with exit code {process.returncode}")
        say(stage, f"done in {time.monotonic() - started:.0f} s")

    def interrupt(self) -> None:
        self._ended = True
        for process in list(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)


def at_once() -> int:
    """How many stages the cores and the memory of this machine are enough for."""
    return max(1, min(cores(), psutil.virtual_memory().total // MEMORY))


def say(stage: Stage, line: str) -> None:
    if line:
        print(f"[{stage.addressing}] {line}", flush=True)
