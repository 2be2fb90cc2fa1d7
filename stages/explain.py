"""Where a fine-tuned network looks: a heat map of every test picture, for the class it names.

All test pictures, as which of them the report shows depends on every network, and this stage on one
alone. It costs about what an epoch of training the whole network on them does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.networks import heat_maps, models
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.training import devices
from stages.training.determinism import make_reproducible

BATCH = 8


def main(model: str) -> str:
    listing = datasets.read_listing()
    make_reproducible(seed=0)  # nothing is drawn here
    devices.choose(load("device").device)
    network, card = models.load_trained(Path("models", model, "finetune"))
    files = [listing.files[row] for row in listing.rows("test")]
    pieces = datasets.pixels_in_pieces(files, card["image_size"], card["background"], BATCH)

    explain = heat_maps.explainer(network)
    shown = followed(pieces, f"explain {model}", len(files), "picture", len)
    found = [explain(datasets.scaled(pixels)).numpy() for pixels in shown]
    save_maps(Path("reports/maps", f"{model}.npy"), np.concatenate(found))
    return f"heat maps of {len(files):,} test pictures"


def save_maps(path: Path, relevance: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, heat_maps.levels(relevance))


if __name__ == "__main__":
    run(main)
