"""Stage 5: what the frozen backbone makes of every picture and of every varied view, once."""

from __future__ import annotations

from pathlib import Path

from stages import zoo
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.training import devices
from stages.training.activations import FrozenBackbone
from stages.training.determinism import make_reproducible


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "augment", "finetune.blocks")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    device = devices.choose(params.device, zoo.lookup(model).ENTRY.family)
    # The activations that fine-tuning begins with fall off on the way, and are kept.
    backbone = FrozenBackbone(model, listing, params, device)
    backbone.write_features(Path("models", model, "features"))
    views = len(listing.rows("train")) * params.augment.views
    return f"{len(listing.files):,} pictures and {views:,} varied views of them"


if __name__ == "__main__":
    run(main)
