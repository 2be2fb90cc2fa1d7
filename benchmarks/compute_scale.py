"""How the stages over pictures grow, on this machine and on Ray's engine on the same cores.

    python -m benchmarks.compute_scale 1000 10000 [--engines local ray] [--model tiny_cnn]

makes so many drawn pictures of 256 × 256 pixels in ten classes in a folder of its own, and runs
to_rgb, split and features on them, with one view a picture. Prints for each stage its seconds on
the clock and of the processor, start and Ray's own processes included, and the most memory that its
process had (MB; that of processes which it starts is not counted), and at the end seconds for 1,000
pictures more, in which no start is.
`--model efficientnet_lite0` takes the weights of this checkout's study.

    python -m benchmarks.compute_scale --study --model dinov2_s14 400 814

takes so many pictures of this checkout's finished study, with all its views, and runs explain too,
on the test pictures, with the study's tuned network.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image, ImageDraw

from benchmarks.workplace import CODE, ROOT, environment, study_params
from stages.tables import read_table, write_table

CLASSES = [f"Class{number}" for number in range(10)]
SIDE = 256
TOLD = """
import atexit, runpy, sys
sys.argv = sys.argv[1:]
atexit.register(lambda: print(next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))))
runpy.run_module(f"stages.{sys.argv[0]}", run_name="__main__", alter_sys=True)
"""


class Cost(NamedTuple):
    seconds: float
    processor: float
    megabytes: float


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("counts", nargs="*", type=int, default=[1000, 10_000])
    words.add_argument("--engines", nargs="+", choices=("local", "ray"), default=["local", "ray"])
    words.add_argument("--model", default="tiny_cnn")
    words.add_argument("--study", action="store_true", help="its pictures, in place of drawn ones")
    words.add_argument("--where", type=Path, help="a folder with room (default: the system's)")
    wanted = words.parse_args()
    costs: dict[tuple[str, str], dict[int, Cost]] = {}
    for count in wanted.counts:
        with tempfile.TemporaryDirectory(dir=wanted.where) as name:
            lay_out(Path(name), count, wanted.model, wanted.study)
            for engine in wanted.engines:
                for stage, cost in measure(Path(name), engine, wanted).items():
                    costs.setdefault((stage, engine), {})[count] = cost
                    print(f"{stage:10}{engine:7}{count:>9,}{cost.seconds:9.1f} s", end="")
                    print(f"{cost.processor:9.1f} s{cost.megabytes:8.0f} MB", flush=True)
    print_slopes(costs)


def lay_out(folder: Path, count: int, model: str, study: bool) -> None:
    for name in CODE:
        (folder / name).symlink_to(ROOT / name)
    (take if study else draw)(folder / "data/raw", count)
    shutil.copy(ROOT / "data/exclude.csv", folder / "data")
    write_params(folder, "local", model, study)
    own = ROOT / "models" / model
    if (own / "pretrained").is_dir():
        shutil.copytree(own / "pretrained", folder / "models" / model / "pretrained")
    else:
        run(folder, "weights", model)
    if study:
        shutil.copytree(own / "finetune", folder / "models" / model / "finetune")


def take(folder: Path, count: int) -> None:
    """Pictures of the study, of each class the same share."""
    rows = read_table(ROOT / "data/raw/manifest.csv")
    for place in np.linspace(0, len(rows) - 1, count).round().astype(int):
        (folder / rows[place]["file"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data/raw" / rows[place]["file"], folder / rows[place]["file"])
    kept = [row for row in rows if (folder / row["file"]).exists()]
    write_table(folder / "manifest.csv", list(rows[0]), kept)


def draw(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    rows = ["file,class,image_url"]
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        path = folder / name / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn(rng))
        rows.append(f"{name}/{path.name},{name},")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")


def drawn(rng: np.random.Generator) -> bytes:
    """A picture of coarse noise, so that no two are near duplicates, with lines on it."""
    noise = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
    picture = noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for colour in rng.integers(0, 256, (6, 3)):
        corners = [tuple(map(int, corner)) for corner in rng.integers(0, SIDE, (2, 2))]
        pen.line(corners, fill=tuple(map(int, colour)), width=4)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def write_params(folder: Path, engine: str, model: str, study: bool) -> None:
    import yaml

    params = study_params()
    params["models"] = [model]
    if not study:
        params["classes"] = {name: {} for name in CLASSES}
        params["augment"]["views"] = 1
    params["evaluate"] |= {"folds": [], "repeats": []}
    params["compute"] = {"engine": engine, "address": "", "resource": ""}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def measure(folder: Path, engine: str, wanted: argparse.Namespace) -> dict[str, Cost]:
    """From raw pictures to features, with nothing left of a run before."""
    for made in ("data/rgb", "cache", f"models/{wanted.model}/features"):
        shutil.rmtree(folder / made, ignore_errors=True)
    write_params(folder, engine, wanted.model, wanted.study)
    costs = {name: run(folder, name) for name in ("to_rgb", "split")}
    of_network = ("features", "explain") if wanted.study else ("features",)
    return costs | {name: run(folder, name, wanted.model) for name in of_network}


def run(folder: Path, stage: str, *words: str) -> Cost:
    variables = environment() | {"VITOON_CACHE": str(folder / "cache")}
    started = time.perf_counter()
    command = [sys.executable, "-c", TOLD, stage, *words]
    with (folder / "printed").open("w+") as printed:
        process = psutil.Popen(
            command, cwd=folder, env=variables, stdout=printed, stderr=subprocess.STDOUT
        )
        processor = watched(process)
        seconds = time.perf_counter() - started
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise SystemExit(f"{stage} failed:\n{text[-3000:]}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", text)
    return Cost(seconds, processor, int(peak[1]) / 1024)


def watched(process: psutil.Popen) -> float:
    """Seconds of the processor of a process and all below it, but for the last half one of each."""
    spent: dict[int, float] = {}
    while process.poll() is None:
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):  # it has just ended
                times = each.cpu_times()
                spent[each.pid] = times.user + times.system
        time.sleep(0.5)
    return sum(spent.values())


def print_slopes(costs: dict[tuple[str, str], dict[int, Cost]]) -> None:
    """Between each count and the next."""
    for (stage, engine), by_count in costs.items():
        for less, more in pairwise(sorted(by_count)):
            each = 1000 / (more - less)
            clock = (by_count[more].seconds - by_count[less].seconds) * each
            processor = (by_count[more].processor - by_count[less].processor) * each
            print(f"{stage:10}{engine:7}{less:,} to {more:,}: ", end="")
            print(f"{clock:.2f} s, {processor:.2f} s of the processor for 1,000 pictures")


if __name__ == "__main__":
    main()
