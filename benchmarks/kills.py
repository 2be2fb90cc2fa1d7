"""Does a killed study end in the same bytes? Kills the default study again and again.

    python -m benchmarks.kills [kills, default 12]

Two clones of this checkout, each with a DVC cache of its own that is empty: in one the study runs
unbroken, in the other every run is killed (SIGKILL, DVC and all it started) at a random moment,
and the last one is not. Compares the hashes of all outputs, which dvc.lock holds, and the small
results in Git. Downloads come from the user's cache.
"""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.workplace import clone, environment, run

REPRO = (sys.executable, "-m", "dvc", "repro")
PAUSE = (0.02, 0.3)  # of the unbroken time: how long a run has; the longest stage takes a quarter


def main(kills: int) -> None:
    rng, log = random.Random(0), ""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = (clone(Path(folder, name)) for name in ("whole", "killed"))
        for each in (whole, killed):
            (each / "dvc.lock").unlink()
        started = time.monotonic()
        run(whole, *REPRO)
        unbroken = time.monotonic() - started
        print(f"unbroken: {unbroken:.0f} s", flush=True)
        for number in range(kills):
            log += kill_after(unbroken * rng.uniform(*PAUSE), killed, number + 1)
        log += run(killed, *REPRO)
        resumed = len(re.findall(r"^goes on after epoch", log, re.MULTILINE))
        print(f"{kills} kills, {resumed} trainings went on from an epoch")
        different = [name for name in results(whole) if not same(whole / name, killed / name)]
        print(f"different files: {', '.join(different) or 'none'}")


def kill_after(seconds: float, folder: Path, number: int, *options: str) -> str:
    """Run the study for some seconds. Returns what it printed."""
    with (
        tempfile.TemporaryFile("w+") as out,
        subprocess.Popen(
            [*REPRO, *options],
            cwd=folder,
            env=environment(),
            stdout=out,
            stderr=out,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        out.seek(0)
        text = out.read()
    if code == 0:  # it had ended before: once more, from the start
        return text + kill_after(seconds, folder, number, "--force")
    if code != -signal.SIGKILL:
        raise SystemExit(f"the study failed:\n{text[-3000:]}")
    stages = re.findall(r"^Running stage '(.+)':$", text, re.MULTILINE)
    at = stages[-1] if stages else "its start"
    print(f"kill {number} after {seconds:.0f} s, at {at}", flush=True)
    return text


def results(folder: Path) -> list[str]:
    """dvc.lock, with the hash of every output, and all files of the reports."""
    files = (path for path in (folder / "reports").rglob("*") if path.is_file())
    return ["dvc.lock", *sorted(str(path.relative_to(folder)) for path in files)]


def same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
