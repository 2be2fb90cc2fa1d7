"""Ten networks in `models:` against two: memory, time, and whether the two are left alone.

    python -m benchmarks.many_networks                                      # minutes, 3 GB of disk
    python -m benchmarks.many_networks --first tiny_cnn --added tiny_vit    # to try it

In a clone of this checkout, on drawn pictures (three classes of twenty) and with an epoch or two,
`dvc repro` runs with the default pair, then once more with eight networks added. Weights that are
not in packages are made up, in their publishers' formats, and come from a mirror. Memory is that
of the largest process of the run, from start to end, and of which stage it was; and the same of
each network, as a large one takes more, alone or among ten. Then the entries of the first networks
in dvc.lock are compared byte for byte, and the stages that the second run started are looked
through for theirs.

Needs the tests' helpers; takes what is committed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.workplace import ROOT, clone, environment, run
from stages import zoo

FIRST = ("efficientnet_lite0", "dinov2_s14")
# Not convnext_tiny: its publisher tells the hash of its file, so a made-up one is refused.
MADE_UP = (
    *("mobilenet_v2", "vit_b32", "vit_b16", "mobilenet_v3_large", "efficientnet_v2_b0"),
    *("mobilevit_s", "vit_r26_s32"),
)
ADDED = (*MADE_UP, "tiny_cnn")


class Repro(NamedTuple):
    """`peaks` is megabytes, at most, of each process by the stage it was."""

    seconds: float
    peaks: dict[str, float]
    stages: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", nargs="+", choices=zoo.NETWORKS, default=FIRST)
    parser.add_argument("--added", nargs="+", choices=zoo.NETWORKS, default=ADDED)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.prepare:
        prepare(wanted.prepare, {*wanted.first, *wanted.added})
    else:
        compare(wanted.first, wanted.added)


def compare(first: Sequence[str], added: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own: a small parent, so that no child's memory is counted from its.
        this = [sys.executable, "-m", "benchmarks.many_networks"]
        run(ROOT, *this, "--prepare", name, "--first", *first, "--added", *added)
        study, mirror = clone(Path(name, "vitoon")), Path(name, "mirror")
        (study / "dvc.lock").unlink()
        lay_out(study, mirror, [*first])
        alone = repro(study)
        before = entries(study, first)
        lay_out(study, mirror, [*first, *added])
        together = repro(study)
        print_peaks({f"{len(first)}": alone, f"{len(added)} more": together})
        print_changes(before, entries(study, first), together.stages, first)


def prepare(folder: Path, networks: set[str]) -> None:
    """Drawn pictures, and a mirror with made-up weights."""
    from tests.tiny_study import draw_pictures
    from tests.zoo.reference import made_up
    from tests.zoo.test_parity import APPLICATIONS, application, write_as_keras_applications

    draw_pictures(folder / "pictures")
    mirror = folder / "mirror"
    mirror.mkdir()
    for network in networks & set(MADE_UP):
        file = mirror / zoo.lookup(network).ENTRY.weights.file
        if network in APPLICATIONS:
            write_as_keras_applications(application(network, 224)[0], file)
        else:
            made_up.write(file, made_up.tensors(network))


def lay_out(study: Path, mirror: Path, models: list[str]) -> None:
    """The small study of the tests with these networks."""
    from tests.tiny_study import change, tiny

    def edit(params: dict) -> None:
        tiny(params)
        params["models"] = models
        params["weights"]["mirror"] = str(mirror)

    change(study, edit)


def repro(study: Path) -> Repro:
    """Run `dvc repro` and look at its processes meanwhile."""
    started, peaks = time.perf_counter(), {}
    with (study / "printed").open("w+", encoding="utf-8") as printed:
        process = psutil.Popen(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=study,
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            look(process, peaks)
            time.sleep(0.05)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise SystemExit(text[-4000:])
    stages = re.findall(r"^Running stage '(.+)':$", text, re.MULTILINE)
    return Repro(time.perf_counter() - started, peaks, stages)


def look(process: psutil.Process, peaks: dict[str, float]) -> None:
    """Keep the highest memory that each process has had until now; the kernel remembers it."""
    for each in (process, *process.children(recursive=True)):
        try:
            status = Path(f"/proc/{each.pid}/status").read_text(encoding="utf-8")
            words = each.cmdline()
        except (OSError, psutil.Error):  # it has just ended
            continue
        stage = " ".join(words[2:]) if words[1:2] == ["-m"] else ""
        if stage and (found := re.search(r"VmHWM:\s+(\d+) kB", status)):
            peaks[stage] = max(peaks.get(stage, 0), int(found[1]) / 1024)


def entries(study: Path, networks: Sequence[str]) -> dict[str, str]:
    """What dvc.lock says of each stage of some networks, as it is written there."""
    text = (study / "dvc.lock").read_text(encoding="utf-8")
    parts = re.split(r"^  (?=\S)", text, flags=re.MULTILINE)
    named = {part.split(":")[0]: part for part in parts}
    return {stage: part for stage, part in named.items() if is_of(stage, networks)}


def is_of(stage: str, networks: Sequence[str]) -> bool:
    """`evaluate@dinov2_s14-transfer` is of dinov2_s14."""
    return stage.partition("@")[2].partition("-")[0] in networks


def print_peaks(runs: dict[str, Repro]) -> None:
    print(f"{'networks':10}{'stages run':>12}{'seconds':>10}{'largest process':>18}")
    for name, done in runs.items():
        print(f"{name:10}{len(done.stages):12}{done.seconds:10.0f}{largest(done.peaks)}")
    for process in ("dvc repro", "stages.report"):
        print(f"{process}:", *(f"{done.peaks[process]:.0f} MB" for done in runs.values()))
    for done in runs.values():
        for network in zoo.NETWORKS:
            own = {p: peak for p, peak in done.peaks.items() if network in p.split()}
            if own:
                print(f"{network:32}{largest(own)}")


def largest(peaks: dict[str, float]) -> str:
    process = max(peaks, key=peaks.get)
    return f"{peaks[process]:15.0f} MB  {process}"


def print_changes(
    before: dict[str, str], after: dict[str, str], started: list[str], networks: Sequence[str]
) -> None:
    changed = [stage for stage in before if after.get(stage) != before[stage]]
    again = [stage for stage in started if is_of(stage, networks)]
    print(f"entries of the first in dvc.lock: {len(before)}, changed: {changed or 'none'}")
    print(f"stages of theirs that ran again: {again or 'none'}")
    print("stages of no network that ran again:", *(s for s in started if "@" not in s))


if __name__ == "__main__":
    main()
