"""Where a fine-tuned network looks: a heat map of every test picture, for the class it names.

All test pictures, as which of them the report shows depends on every network, and this stage on one
alone. It costs about what an epoch of training the whole network on them does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from stages.compute import engines
from stages.networks import heat_maps, models
from stages.params import compute, load
from stages.pictures import datasets
from stages.runtime import processors
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.training import devices
from stages.training.determinism import make_reproducible

BATCH = 8


def main(model: str) -> str:
    listing = datasets.read_listing()
    make_reproducible(seed=0)  # nothing is drawn here
    devices.choose(load("device").device)
    devices.require_processor(compute())
    files = [listing.files[row] for row in listing.rows("test")]
    pieces = (datasets.content(files[at : at + BATCH]) for at in range(0, len(files), BATCH))
    with engines.chosen(compute()) as engine:
        make = partial(steps, engine.folder(Path("models", model, "finetune")))
        start = partial(devices.start_elsewhere, None, processors.cores())
        found = engine.map(make, pieces, start)
        maps = list(followed(found, f"explain {model}", len(files), "picture", len))
    save_maps(Path("reports/maps", f"{model}.npy"), np.concatenate(maps))
    return f"heat maps of {len(files):,} test pictures"


def steps(folder: engines.Folder) -> engines.Steps:
    """Content of files of data/rgb → pixels → relevance (n, h, w)."""
    with folder() as trained:
        network, card = models.load_trained(trained)
    explain = heat_maps.explainer(network)

    def prepare(pictures: list[bytes]) -> np.ndarray:
        return datasets.squares(pictures, card["image_size"], card["background"])

    return prepare, lambda pixels: explain(datasets.scaled(pixels)).numpy()


def save_maps(path: Path, relevance: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, heat_maps.levels(relevance))


if __name__ == "__main__":
    run(main)
