"""The stages that run networks, on a made-up study: seconds, the same bytes twice, CPU and GPU.

Pictures are polygons on noise, of a class for each number of corners. The stages of the timed
networks run alone, one after another; the rest, of which nothing is timed, side by side.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw

from benchmarks.gpu.networks import backbone
from benchmarks.gpu.report import Report, Row
from benchmarks.workplace import stage, study_params, workplace
from stages import zoo
from stages.networks.models import BACKBONE, CARD, HEAD
from stages.networks.weight_files import save_weights
from stages.runtime.randomness import generator
from stages.statistics.scores import read_predictions
from stages.tables import write_json

CORNERS = {"Triangle": 3, "Square": 4, "Pentagon": 5, "Octagon": 8}
SIDE = 128  # pixels
TRAINING = (("features",), ("transfer",), ("finetune",))
TUNED = (*TRAINING, ("evaluate", "finetune"))
WRITTEN = ("features/views.npy", f"transfer/{HEAD}", f"finetune/{BACKBONE}")


def compare(timed: Sequence[str], compared: Sequence[str], per_class: int, report: Report) -> None:
    names = [*dict.fromkeys([*timed, *compared])]
    with (
        workplace(settings(names, per_class), ["data/exclude.csv"]) as study,
        tempfile.TemporaryDirectory() as home,
    ):
        prepare(study, names, per_class)
        gpu, again, cpu = (
            shutil.copytree(study, Path(home, side), symlinks=True)
            for side in ("gpu", "again", "cpu")
        )
        set_device(cpu, "cpu")
        seconds = [run(gpu, name, *TUNED, ("explain",)) for name in timed]
        report.add("seconds of stages", seconds)
        work = [(again, name, *TRAINING) for name in timed]
        work += [(side, name, *TUNED) for name in compared for side in (cpu, gpu)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda words: run(*words), work))
        report.add("the same bytes twice", [twice(gpu, again, name) for name in timed])
        report.add("processor and GPU", [agreement(cpu, gpu, name) for name in compared])


def settings(names: Sequence[str], per_class: int) -> dict:
    """params.yaml of this checkout but for these."""
    params = study_params()
    params["classes"] = {name: {"search": [name]} for name in CORNERS}
    params["scrape"] |= {"source": "folder", "folder": "pictures", "per_class": per_class}
    params["models"] = list(names)
    params["image_size"], params["device"] = "auto", "auto"
    params["augment"]["views"] = 4
    params["transfer"]["epochs"], params["finetune"]["epochs"] = 20, 4
    params["evaluate"] = {"folds": [], "repeats": []}
    return params


def prepare(study: Path, names: Sequence[str], per_class: int) -> None:
    """Pictures, their split, and weights."""
    draw(study / "pictures", per_class)
    for name in ("scrape", "to_rgb", "split"):
        stage(study, name)
    for name in names:
        entry = zoo.lookup(name).ENTRY
        if isinstance(entry.weights, zoo.Package):
            stage(study, "weights", name)
        else:
            folder = study / "models" / name / "pretrained"
            save_weights(backbone(name), folder / BACKBONE)
            write_json(folder / CARD, {"network": name, "image_size": entry.image_size})


def draw(folder: Path, per_class: int) -> None:
    for name, corners in CORNERS.items():
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            rng = generator(0, name, number)
            picture = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
            radius, turn = rng.integers(20, 50), rng.integers(360)
            x, y = rng.integers(radius, SIDE - radius, 2)
            colour = tuple(int(part) for part in rng.integers(0, 256, 3))
            circle = (int(x), int(y), int(radius))
            ImageDraw.Draw(picture).regular_polygon(circle, corners, int(turn), fill=colour)
            picture.save(folder / name / f"{number:03}.png")


def set_device(study: Path, device: str) -> None:
    file = study / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8")) | {"device": device}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def run(study: Path, name: str, *stages: tuple[str, ...]) -> Row:
    """Run stages of a network. → seconds of each, from Python's start to its end.

    The cache is the folder's own, so that no side finds activations that another has made.
    """
    row = {"network": name}
    for first, *words in stages:
        done = stage(study, first, name, *words, VITOON_CACHE=str(study / "cache"))
        row[first] = f"{done.seconds:.1f}"
    return row


def twice(first: Path, second: Path, name: str) -> Row:
    """Whether two runs on the same device wrote the same."""
    row = {"network": name}
    for file in WRITTEN:
        one, other = ((study / "models" / name / file).read_bytes() for study in (first, second))
        row[file] = "same bytes" if one == other else "DIFFERENT"
    return row


def agreement(cpu: Path, gpu: Path, name: str) -> Row:
    """Features relative to the largest, and what the tuned networks say of the test pictures."""
    exact, ours = (np.load(study / f"models/{name}/features/clean.npy") for study in (cpu, gpu))
    predictions = f"reports/predictions/{name}-finetune.csv"
    theirs, said = (read_predictions(study / predictions).of("test") for study in (cpu, gpu))
    return {
        "network": name,
        "features, largest difference": f"{np.abs(ours - exact).max() / np.abs(exact).max():.1e}",
        "test pictures": str(len(said)),
        "accuracy, CPU": f"{np.mean(theirs.predicted == theirs.actual):.3f}",
        "accuracy, GPU": f"{np.mean(said.predicted == said.actual):.3f}",
        "classified otherwise": str(np.sum(said.predicted != theirs.predicted)),
    }
