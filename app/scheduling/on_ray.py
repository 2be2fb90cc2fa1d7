"""Stages as tasks of a Ray cluster.

A node shares no disk with this machine: what a stage reads goes there, what it makes comes back,
and is committed here. Stages without a network run here, and `weights`, which fetches, and
`features`: those of them that work on pictures spread these over the cluster themselves
(stages/compute).
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import ray
import yaml
from dvc.dependency import ParamsDependency
from dvc.dependency.base import Dependency
from dvc.env import DVC_STAGE
from dvc.stage import Stage
from ray.exceptions import RayError, RayTaskError

from app.scheduling.local import Cores, say
from app.scheduling.pipeline import commands
from stages.compute import parcels
from stages.compute.cluster import connected
from stages.compute.commands import Command
from stages.errors import StudyError
from stages.params import FILE, Compute, file
from stages.runtime.processors import cores

HERE = ("weights", "features")  # of the stages that have a network
CODE = ("stages", "requirements.txt")  # what every stage reads, beside its dependencies
ALONE = {"engine": "local", "address": "", "resource": ""}  # a node works with its own cores
THREADS = "TF_NUM_INTRAOP_THREADS"  # as many as here: how sums are shared out decides bytes
TRIES = 5  # of a stage whose node is lost


class RayTasks:
    """The cluster of `compute`, for so many stages side by side: as many as find a place."""

    def __init__(self, compute: Compute, jobs: int | None) -> None:
        self._compute, self._most, self._ended = compute, jobs, False
        self._here, self._held = Cores(1), ExitStack()
        self._sent: dict[tuple[str, str], ray.ObjectRef] = {}
        self._sending = threading.Lock()

    def __enter__(self) -> RayTasks:
        self._cluster = self._held.enter_context(connected(self._compute))
        self._held.enter_context(self._here)
        cpus, gpus = self._cluster.share, min(1, *(node.gpus for node in self._cluster.nodes))
        self.jobs = self._most or 1 + self._cluster.places(cpus)
        params = yaml.safe_dump(file.read() | {"compute": ALONE}, allow_unicode=True).encode()
        self._command = ray.remote(Command).options(
            **self._cluster.options(cpus, gpus), max_restarts=0
        )
        self._code = ray.put(parcels.packed(Path.cwd(), CODE, {str(FILE): params}))
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._held.close()

    def run(self, stage: Stage) -> None:
        """Raises StudyError where a stage fails, or has lost every node that it was given."""
        if not travels(stage):
            self._here.run(stage)
            return
        for _ in range(TRIES):
            try:
                self._run_there(stage)
                return
            except RayTaskError as error:
                raise StudyError(f"failed on its node: {error.cause}") from None
            except RayError as error:
                if self._ended:
                    raise StudyError("interrupted") from None
                if not self._cluster.is_there():
                    raise StudyError("no node of the cluster is left: `ray status`") from None
                say(stage, f"its node was lost ({type(error).__name__}): it runs again")
        raise StudyError(f"lost {TRIES} nodes: does it take more memory than they have?")

    def interrupt(self) -> None:
        self.__exit__()  # it ends what runs here, and all tasks

    def _run_there(self, stage: Stage) -> None:
        say(stage, f"> {commands(stage)}")
        deps = (dep for dep in stage.deps if not isinstance(dep, ParamsDependency))
        given = [self._code, *map(self._parcel, deps)]
        outs = [out.def_path for out in stage.outs]
        variables = {DVC_STAGE: stage.addressing, THREADS: os.environ.get(THREADS, str(cores()))}
        with self._sending:  # Ray's client sends the class with the first
            at = self._command.remote(commands(stage), given, outs, variables)
        try:
            while isinstance(told := ray.get(at.told.remote()), str):
                say(stage, told)
        finally:
            ray.kill(at)
        if isinstance(told, int):
            raise StudyError(f"failed with exit code {told}")
        parcels.unpack(told, Path.cwd())

    def _parcel(self, dep: Dependency) -> ray.ObjectRef:
        """A dependency, sent once for all stages that read it."""
        key = dep.def_path, str(dep.hash_info)
        with self._sending:
            if key not in self._sent:
                self._sent[key] = ray.put(parcels.packed(Path.cwd(), [dep.def_path]))
            return self._sent[key]


def travels(stage: Stage) -> bool:
    """Whether a stage runs as a task: it has a network, and does not use the cluster itself."""
    name, _, network = stage.addressing.partition("@")
    return bool(network) and name not in HERE
