"""Stage 5: what the frozen backbone makes of every picture and of every varied view, once.

It knows neither split nor seed: one pass serves every fold and every further seed.
"""

from __future__ import annotations

from pathlib import Path

from stages import zoo
from stages.compute import engines
from stages.params import compute, load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.training import devices
from stages.training.activations import FrozenBackbone
from stages.training.determinism import make_reproducible


def main(model: str) -> str:
    params = load("device", "rgb.background", "augment", "finetune.blocks")
    files = datasets.kept_files()
    make_reproducible(seed=0)  # nothing is drawn here but the views, by their own
    device = devices.choose(params.device, zoo.lookup(model).ENTRY.family)
    devices.require_processor(compute())
    # The activations that fine-tuning begins with fall off on the way, and are kept.
    backbone = FrozenBackbone(model, files, params, device)
    with engines.chosen(compute()) as engine:
        backbone.write_features(Path("models", model, "features"), engine)
    views = len(files) * params.augment.views
    return f"{len(files):,} pictures and {views:,} varied views of them"


if __name__ == "__main__":
    run(main)
