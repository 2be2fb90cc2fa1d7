"""Stage 7: fine-tuning. The transferred head and the last blocks are trained together."""

from __future__ import annotations

from pathlib import Path

from stages import zoo
from stages.networks import models
from stages.params import load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.training import devices
from stages.training.activations import FrozenBackbone
from stages.training.batches import stored
from stages.training.determinism import make_reproducible
from stages.training.learning_curve import in_words
from stages.training.tuning import of_network, tuned_network


def main(model: str) -> str:
    params = load("seed", "device", "rgb.background", "augment", "finetune")
    settings = params.finetune = of_network(params.finetune, model)
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    entry, folder = zoo.lookup(model).ENTRY, Path("models", model)
    device = devices.choose(params.device, entry.family)
    activations = FrozenBackbone(model, listing.files, params, device).activations()
    inputs = stored(activations, listing, settings, params.seed)
    with device.strategy.scope():
        head = models.load_head(folder / "transfer", entry.features, len(listing.classes))

    name = f"{model}-finetune"
    curve = Path("reports/training", name)
    with tuned_network(name, model, head, inputs, device, curve) as tuned:
        card = models.card(model, "finetune", listing, params, tuned.chosen)
        parts = (tuned.backbone, tuned.head, tuned.trained)
        models.save_trained(folder / "finetune", *parts, card, tuned.logits)
    return in_words(tuned.chosen)


if __name__ == "__main__":
    run(main)
