"""What benchmarks share: commands in a clone, stages in a folder that borrows from the study."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from stages.runtime.program import with_this_python

ROOT = Path(__file__).resolve().parents[1]
CODE = ("requirements.txt", "stages")  # activations are found by a hash of these too
EPOCH = re.compile(r"epoch (\d+)/\d+\b")  # how a training stage begins an epoch's line


class Timed(NamedTuple):
    """A process: its seconds, Python's start included, and when it had finished each epoch."""

    seconds: float
    epochs: list[float]


def study_params() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


@contextmanager
def workplace(params: dict, borrowed: list[str]) -> Iterator[Path]:
    """A folder with these parameters and links to some of the study's files, gone afterwards.

    Raises SystemExit where the study lacks one of them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        for file in (*CODE, *borrowed):
            if not (ROOT / file).exists():
                raise SystemExit(f"{file} is missing: make repro makes it")
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).symlink_to((ROOT / file).resolve())
        yield folder


def environment() -> dict[str, str]:
    """For DVC, whose stages call `python`: this process's, whichever environment is active."""
    return with_this_python(os.environ)


def clone(folder: Path) -> Path:
    """A clone of what this checkout has committed; returns its folder."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    return folder


def run(folder: Path, *command: str) -> str:
    """What a command printed. Raises SystemExit, with the last of it, where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def stage(folder: Path, name: str, *words: str, **variables: str) -> Timed:
    """Run a stage in a folder, with this checkout's code and some variables of the environment."""
    return timed([sys.executable, "-m", f"stages.{name}", *words], folder, **variables)


def timed(command: list[str], folder: Path, **variables: str) -> Timed:
    """Run a command that prints a line for each epoch. Raises SystemExit where it fails.

    On a terminal: in a log a stage is sparing with lines.
    """
    print("$", *command[1:], flush=True)
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    started, epochs, said = time.perf_counter(), [], deque(maxlen=30)
    ours, its = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=variables, stdout=its, stderr=its) as process:
        os.close(its)
        for line in lines(ours):
            said.append(line)
            if EPOCH.match(line):
                epochs.append(time.perf_counter() - started)
    if process.returncode:
        raise SystemExit("".join(said) + f"ended with status {process.returncode}")
    return Timed(time.perf_counter() - started, epochs)


def lines(terminal: int) -> Iterator[str]:
    """What is sent to a terminal, until all that write to it have ended."""
    with open(terminal, encoding="utf-8", errors="replace") as sent:
        try:
            yield from sent
        except OSError:  # how Linux says that nobody has the other end any more
            return
