"""How long `dvc push` and `dvc pull` take, with an S3 server on loopback.

    python -m benchmarks.remote [--forms shards] [--pictures 100000] [--jobs N] [--study FOLDER]

First that many pictures of 4 kB, loose and in shards (stages/pictures/shards.py), of a repository
that has nothing else; then a study that has run (default: this checkout), from `git clone` until a
colleague has all of it, and until the report alone is there. Packages are installed by then.

Needs requirements-remotes.txt, and rclone 1.65 or later on PATH, which serves S3: moto, the tests'
server, would be what is measured. 100,000 pictures need 3 GB of disk; loose, they take long.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.data_set_size import fill
from benchmarks.workplace import ROOT, run

FORMS = ("folders", "shards")
DVC = (sys.executable, "-m", "dvc")
# rclone's checksum of a large file that came in parts is not what the client reckons.
CHECKSUMS = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
KEYS = {"access_key_id": "ann", "secret_access_key": "secret"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--jobs", help="connections; DVC takes four for each core")
    parser.add_argument("--study", type=Path, default=ROOT, help="one that has run")
    wanted = parser.parse_args()
    os.environ |= dict.fromkeys(CHECKSUMS, "when_required")
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name, "s3")) as address:
        for form in wanted.forms:
            push, pull = pictures(Path(name, form), form, wanted.pictures, address, wanted.jobs)
            print(f"{wanted.pictures} {form}: push {push:.1f} s, pull {pull:.1f} s", flush=True)
        publish(wanted.study.resolve(), Path(name, "published"), address)
        for targets in ([], ["report"]):
            seconds = colleague(Path(name, "published"), Path(name, "colleague"), address, targets)
            print(f"clone and dvc pull {' '.join(targets)}: {seconds:.1f} s", flush=True)


def pictures(
    folder: Path, form: str, count: int, address: str, jobs: str | None
) -> tuple[float, float]:
    """Seconds to push so many pictures, and to pull them where DVC has none of them."""
    fill(folder / "data", form, count, seed=0)
    run(folder, "git", "init", "--quiet")
    run(folder, *DVC, "init", "--quiet")
    run(folder, *DVC, "add", "--quiet", "data")
    connect(folder, address, form)
    words = ["--jobs", jobs] if jobs else []
    push = timed(folder, *DVC, "push", "--quiet", *words)
    for place in ("data", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(folder / place)
    pull = timed(folder, *DVC, "pull", "--quiet", *words)
    shutil.rmtree(folder)
    return push, pull


def publish(study: Path, folder: Path, address: str) -> None:
    """Push a study from a clone of it, so that nothing of its own is touched."""
    run(study, "git", "clone", "--quiet", str(study), str(folder))
    cache = run(study, *DVC, "cache", "dir").strip()
    run(folder, *DVC, "cache", "dir", "--local", str(study / cache))
    connect(folder, address, "study")
    run(folder, *DVC, "push", "--quiet")


def colleague(published: Path, folder: Path, address: str, targets: list[str]) -> float:
    """Seconds from `git clone` to the report, without those to name a remote that Git would."""
    started = time.perf_counter()
    run(published, "git", "clone", "--quiet", str(published), str(folder))
    cloned = time.perf_counter() - started
    connect(folder, address, "study")
    pulled = timed(folder, *DVC, "pull", "--quiet", *targets)
    if not (folder / "reports/report.html").exists():
        raise SystemExit("the report was not pulled")
    shutil.rmtree(folder)
    return cloned + pulled


def connect(clone: Path, address: str, place: str) -> None:
    settings = {"url": f"s3://bucket/{place}", "endpointurl": address, "verify": True, **KEYS}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    with (clone / ".dvc/config.local").open("a") as config:
        config.write("\n".join(["[core]", "remote = store", "['remote \"store\"']", *lines, ""]))


def timed(folder: Path, *command: str) -> float:
    started = time.perf_counter()
    run(folder, *command)
    return time.perf_counter() - started


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """The address of a server that keeps buckets as folders."""
    (folder / "bucket").mkdir(parents=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    if not (rclone := shutil.which("rclone")):
        raise SystemExit("rclone is missing")
    words = ("serve", "s3", str(folder), "--addr", place, "--auth-key", ",".join(KEYS.values()))
    with subprocess.Popen([rclone, *words], stderr=subprocess.DEVNULL) as server:
        time.sleep(3)
        yield f"http://{place}"
        server.terminate()


if __name__ == "__main__":
    main()
