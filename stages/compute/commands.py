"""A command on a node of a Ray cluster, in a folder that holds what it reads and nothing else."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ray

from stages.compute import parcels
from stages.runtime.program import with_this_python

PR_SET_PDEATHSIG = 1  # of prctl(2)

Told = str | bytes | int  # a line; at the end a parcel of outputs, or the exit code of a failure


class Command:
    """A command at work, as an actor of Ray: a generator would not reach who is no node (ray://).

    `given` are parcels, which the node fetches; `variables` are added to those of its worker.
    """

    def __init__(
        self,
        command: str,
        given: Sequence[ray.ObjectRef],
        outs: Sequence[str],
        variables: Mapping[str, str],
    ) -> None:
        self._told = _told(command, given, outs, variables)

    def told(self) -> Told:
        """What the command says next, once it does."""
        return next(self._told)


def _told(
    command: str,
    given: Sequence[ray.ObjectRef],
    outs: Sequence[str],
    variables: Mapping[str, str],
) -> Iterator[Told]:
    with tempfile.TemporaryDirectory(prefix="vitoon-") as scratch:
        for parcel in ray.get(list(given)):
            parcels.unpack(parcel, Path(scratch))
        process = subprocess.Popen(  # noqa: S602, a command of dvc.yaml
            command,
            shell=True,
            cwd=scratch,
            env=with_this_python(os.environ) | {"PYTHONPATH": ""} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        with process:
            yield from (line.rstrip("\n") for line in process.stdout)
        yield process.returncode or parcels.packed(Path(scratch), outs)


def _end_with_parent() -> None:
    """In the process that becomes the command: a worker that is killed takes it along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
