"""What DVC takes for this study as its data set grows, and the same with a few large files.

    python benchmarks/data_set_size.py 1000 10000 100000

makes the study of dvc.yaml with so many pictures of 4 kB in a folder of its own (`--where`;
100,000 need 4 GB), and prints seconds on the clock and, in brackets, of the processor.

form       `folders`: loose pictures in data/raw and data/rgb. `one stage`: as many in one folder
           that no other stage reads. `shards`: data/raw and data/rgb, packed
           (stages/pictures/shards.py).
commit     hash the pictures and copy them into the cache, as `dvc repro` does after a stage
status     `dvc status` with nothing changed
cold       the same where DVC has forgotten the files (a fresh clone, another machine)
checkout   `dvc checkout` of pictures that are in the cache and not in the folder
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from stages.pictures import shards  # noqa: E402

FORMS = ("folders", "one stage", "shards")
BYTES = 4096
CLASSES = 10
COMMANDS = {
    "commit": ("commit", "--force"),
    "status": ("status",),
    "cold": ("status",),
    "checkout": ("checkout",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("counts", nargs="*", type=int, default=[1000, 10_000])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--where", type=Path, help="a folder with room (default: the system's)")
    wanted = parser.parse_args()
    print(f"{'form':12}{'pictures':>10}", *(f"{name:>18}" for name in COMMANDS), flush=True)
    for count in wanted.counts:
        for form in wanted.forms:
            with tempfile.TemporaryDirectory(dir=wanted.where) as folder:
                timings = measure(Path(folder), form, count)
            cells = (f"{clock:.1f} ({processor:.1f})" for clock, processor in timings)
            print(f"{form:12}{count:>10,}", *(f"{cell:>18}" for cell in cells), flush=True)


def measure(root: Path, form: str, count: int) -> list[tuple[float, float]]:
    """Seconds on the clock and of the processor for each of COMMANDS."""
    study, state = root / "study", root / "state"
    lay_out(study, state, form, count)
    timings = []
    for name, words in COMMANDS.items():
        if name == "cold":
            shutil.rmtree(state)
        if name == "checkout":
            shutil.rmtree(study / "data")
        timings.append(timed(study, *words))
    return timings


def lay_out(study: Path, state: Path, form: str, count: int) -> None:
    """A repository in which every output of the study is there."""
    study.mkdir(parents=True)
    if form == "one stage":
        stage = "stages: {scrape: {cmd: python -m stages.scrape, outs: [data/raw]}}\n"
        (study / "dvc.yaml").write_text(stage)
    else:
        for name in ("dvc.yaml", "params.yaml", ".gitignore", ".dvcignore"):
            shutil.copy(PROJECT / name, study)
        shutil.copytree(PROJECT / "stages", study / "stages")
    subprocess.run(["git", "init", "--quiet"], cwd=study, check=True)
    dvc(study, "init", "--quiet")
    dvc(study, "config", "core.site_cache_dir", str(state))
    dvc(study, "config", "core.analytics", "false")
    for number, path in enumerate(outputs(study)):
        if path.name in ("raw", "rgb"):
            fill(path, form, count, number)
        elif path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n")
        else:
            path.mkdir(parents=True)
            (path / "file").write_text(f"{number}\n")


def outputs(study: Path) -> list[Path]:
    """Where the study's stages write, and what is asked of the user beside."""
    from dvc.repo import Repo

    with Repo(study) as repo:
        places = {*repo.index.outs, *repo.index.deps}
        return sorted({Path(p.fs_path) for p in places if not os.path.exists(p.fs_path)})


def fill(folder: Path, form: str, count: int, seed: int) -> None:
    """Pictures, in so far as DVC sees them: different bytes, as incompressible as a PNG."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        path = folder / f"class{number % CLASSES}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(BYTES))
    if form == "shards":
        shards.LOOSE = 0
        shards.pack(folder)


def timed(study: Path, *words: str) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    dvc(study, *words)
    clock = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def dvc(study: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=study, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"dvc {' '.join(words)}: {done.stderr}")


class _Plain(argparse.RawDescriptionHelpFormatter):
    """The docstring as it is written."""


if __name__ == "__main__":
    main()
