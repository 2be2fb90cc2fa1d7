"""The four runs of the study against the plain Keras script one would write from a tutorial.

    python -m benchmarks.tutorial_script                  # some 20 minutes on two cores
    python -m benchmarks.tutorial_script --epochs 3       # some 5

Plain is plain_keras.py, one process for both runs of a network; ours are the stages `features` and
`transfer` for the first run, `finetune` for the second, each a process of its own. Both sides count
from Python's start to the saved model, start from the same weights, see the same pictures of the
same split, train for all epochs of params.yaml (none stops early) and keep the best one, or with a
patience of 0 the last. Not counted: writing the class folders for Keras, and testing. With
`--epochs`, the plain runs end after so many, the others are reckoned from their mean epoch but the
first, which also builds the graph, and accuracies are not to be compared.

Needs data/rgb, data/split.csv and models/*/pretrained (`dvc repro weights split`); it works in a
folder of its own and changes nothing here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.workplace import ROOT, Timed, stage, study_params, timed, workplace
from stages.pictures import datasets, shards
from stages.statistics.scores import read_predictions, summary

PHASES = ("transfer", "finetune")


class Run(NamedTuple):
    seconds: float
    epochs: int
    accuracy: float


Runs = dict[tuple[str, str], Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="of the plain runs, 2 or more; default: all")
    most = parser.parse_args().epochs
    if most is not None and most < 2:
        parser.error("--epochs: 2 or more, the first is not like the others")
    params = study_params()
    for phase in PHASES:
        params[phase]["patience"] = params[phase]["patience"] and params[phase]["epochs"]
    borrowed = ["data", *(f"models/{model}/pretrained" for model in params["models"])]
    ours: Runs = {}
    plain: Runs = {}
    with workplace(params, borrowed) as folder:
        write_pictures(folder)
        for model in params["models"]:
            plain |= plain_runs(folder, model, params, most)
            ours |= our_runs(folder, model)
    print_table(plain, ours, most)


def write_pictures(folder: Path) -> None:
    """<split>/<class>/<picture>, as Keras wants them."""
    listing = datasets.read_listing(ROOT / "data/split.csv")
    for file, split in zip(listing.files, listing.splits, strict=True):
        path = folder / "pictures" / split / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shards.read(ROOT / datasets.RGB, file))


def plain_runs(folder: Path, model: str, params: dict, most: int | None) -> Runs:
    words = [model, "pictures", f"{model}.json", *([str(most)] if most else [])]
    whole = timed([sys.executable, "-m", "benchmarks.plain_keras", *words], folder).seconds
    found = json.loads((folder / f"{model}.json").read_text(encoding="utf-8"))
    testing = sum(phase["testing"] for phase in found.values())
    counted = {"finetune": found["finetune"]["seconds"]}
    counted["transfer"] = whole - testing - counted["finetune"]
    runs = {}
    for phase in PHASES:
        epochs = params[phase]["epochs"]
        seconds = reckoned(counted[phase], found[phase]["epochs"], epochs)
        runs[model, phase] = Run(seconds, epochs, found[phase]["accuracy"])
    return runs


def reckoned(seconds: float, done: list[float], epochs: int) -> float:
    """What a run would take with more epochs; `done` has the seconds of each it had."""
    return seconds + (epochs - len(done)) * sum(done[1:]) / (len(done) - 1)


def our_runs(folder: Path, model: str) -> Runs:
    features = stage(folder, "features", model)
    transfer, finetune = stage(folder, "transfer", model), stage(folder, "finetune", model)
    return {
        (model, "transfer"): our_run(folder, model, "transfer", transfer, features.seconds),
        (model, "finetune"): our_run(folder, model, "finetune", finetune),
    }


def our_run(folder: Path, model: str, phase: str, done: Timed, before: float = 0) -> Run:
    stage(folder, "evaluate", model, phase)
    said = read_predictions(folder / f"reports/predictions/{model}-{phase}.csv")
    accuracy = summary(said.of("test"))["accuracy"]
    return Run(before + done.seconds, len(done.epochs), accuracy)


def print_table(plain: Runs, ours: Runs, most: int | None) -> None:
    print(f"\n{'':30}{'seconds':^18}{'epochs':^16}{'test accuracy':^18}{'times as fast':^15}")
    names = ("plain", "ours") * 3
    print(f"{'run':30}", *(f"{name:>8}" for name in names), sep="")
    for key, mine in ours.items():
        print_row(" ".join(key), [plain[key]], [mine])
    print_row("all", list(plain.values()), list(ours.values()))
    if most:
        print(f"plain: {most} epochs measured, the others reckoned; accuracy not to be compared")


def print_row(name: str, plain: list[Run], ours: list[Run]) -> None:
    slow, fast = (sum(run.seconds for run in runs) for runs in (plain, ours))
    epochs = (sum(run.epochs for run in runs) for runs in (plain, ours))
    right = (sum(run.accuracy for run in runs) / len(runs) for runs in (plain, ours))
    print(f"{name:30}{slow:8.1f}{fast:8.1f}", *(f"{n:8}" for n in epochs), sep="", end="")
    print(*(f"{a:8.3f}" for a in right), f"{slow / fast:12.1f}", sep="")


if __name__ == "__main__":
    main()
