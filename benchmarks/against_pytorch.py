"""Fine-tuning here and in PyTorch with timm: training pictures per second, of the same work.

    make .parity/done                        # PyTorch's environment, some gigabytes, once
    python -m benchmarks.against_pytorch     # some 10 minutes on two cores that do nothing else

Both sides train the same upper blocks with the same head, picture size, batches, optimiser and
number of pictures, for the epochs of params.yaml, and validate after each; of a ViT on all patches.
Ours is the stage `finetune` as `dvc repro` runs it. PyTorch is pytorch_finetune.py, once with the
frozen blocks run in every step (`plain`: what one would write) and once on what they gave when run
before (`cached`: our work). A side's time goes from the line it prints at the end of its first
epoch to that of the last. The three take turns, `--rounds` times; the middle rates are shown, and
all of them below.

Needs what `dvc repro finetune` makes; it works in a folder of its own and changes nothing here.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import median

from benchmarks.workplace import ROOT, Timed, stage, study_params, timed, workplace
from stages import zoo
from stages.params import own_value
from stages.pictures import datasets

COMPARED = ("efficientnet_lite0", "dinov2_s14")  # those that pytorch_finetune.py builds
KEPT = ("pretrained", "transfer")
SIDES = ("ours", "cached", "plain")
RECIPE = ("batch_size", "epochs", "weight_decay", "clip_norm", "label_smoothing", "mixup")

Rates = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=ROOT / ".parity/bin/python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="2 or more; default: those of params.yaml")
    wanted = parser.parse_args()
    if not wanted.python.exists():
        parser.error(f"{wanted.python} is missing: make .parity/done brings it")
    params = study_params()
    params["finetune"]["epochs"] = wanted.epochs or params["finetune"]["epochs"]
    params["finetune"] |= {"patience": 0, "keep_patches": 1.0}
    models = [model for model in COMPARED if model in params["models"]]
    rates = {model: compare(model, params, wanted.python, wanted.rounds) for model in models}
    print_table(rates)


def compare(model: str, params: dict, python: Path, rounds: int) -> Rates:
    """Training pictures per second, a number for each round."""
    facts = same_work(model, params)
    other = [str(python.absolute()), "-m", "benchmarks.pytorch_finetune"]
    borrowed = ["data", *(f"models/{model}/{part}" for part in KEPT)]
    rates: Rates = {side: [] for side in SIDES}
    for _ in range(rounds):
        with workplace(params, borrowed) as folder:
            for side in SIDES:
                ours = side == "ours"
                words = [*other, side, json.dumps(facts)]
                done = stage(folder, "finetune", model) if ours else timed(words, folder)
                rates[side].append(rate(done, facts["pictures"]))
    return rates


def same_work(model: str, params: dict) -> dict:
    """What PyTorch's side has to know."""
    listing, entry = datasets.read_listing(ROOT / "data/split.csv"), zoo.lookup(model).ENTRY
    facts = {
        "network": model,
        "size": own_value(params["image_size"], model, entry.image_size),
        "blocks": own_value(params["finetune"]["blocks"], model, entry.tune_blocks),
        "classes": len(listing.classes),
        "pictures": len(listing.rows("train")),
        "validation": len(listing.rows("validation")),
        "threads": len(os.sched_getaffinity(0)),  # what TensorFlow takes too
    }
    return facts | {name: params["finetune"][name] for name in RECIPE}


def rate(done: Timed, pictures: int) -> float:
    """Pictures per second over the epochs after the first."""
    return pictures * (len(done.epochs) - 1) / (done.epochs[-1] - done.epochs[0])


def print_table(rates: dict[str, Rates]) -> None:
    print(f"\n{'pictures/s':20}{'ours':>8}{'cached':>8}{'plain':>8}   ours/cached   ours/plain")
    for model, found in rates.items():
        ours, cached, plain = (median(found[side]) for side in SIDES)
        print(f"{model:20}{ours:8.1f}{cached:8.1f}{plain:8.1f}", end="")
        print(f"{ours / cached:14.2f}{ours / plain:13.2f}")
    for model, found in rates.items():
        for side in SIDES:
            print(f"{model} {side}, each round:", *(f"{value:.1f}" for value in found[side]))


if __name__ == "__main__":
    main()
