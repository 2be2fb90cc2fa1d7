"""Stage 7: fine-tuning. The transferred head and the last blocks are trained together.

What the frozen blocks make of each view is on disk (stage `features`), so only the tuned blocks
run here. BatchNorm keeps the statistics it was published with (stages/zoo/fixed_batch_norm.py).
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from stages import datasets, models, zoo
from stages.determinism import make_reproducible
from stages.errors import run
from stages.params import load, own_value
from stages.training import Batches, one_hot, train


def main(model: str) -> None:
    params = load("seed", "rgb.background", "finetune")
    listing = datasets.read_listing()
    make_reproducible(params.seed)
    activations = Path("models", model, "activations")
    views, clean = (np.load(activations / f"{n}.npy", mmap_mode="r") for n in ("views", "clean"))
    targets = one_hot(listing.labels, len(listing.classes))
    rows, held_out = listing.rows("train"), listing.rows("validation")

    backbone = models.pretrained(model)
    upper = models.upper(backbone, models.cut_at(model, backbone, params.finetune.blocks))
    transferred = Path("models", model, "transfer")
    head = models.load_head(transferred, upper.output_shape[1], len(listing.classes))
    tuned = keras.Model(upper.input, head(upper.output))
    rate = own_value(params.finetune.learning_rate, model, zoo.lookup(model).ENTRY.tune_rate)
    params.finetune = settings = params.finetune.model_copy(update={"learning_rate": rate})
    best = train(
        tuned,
        Batches(views, targets[rows], settings, params.seed),
        (clean[held_out, 0].astype(np.float32), targets[held_out]),
        settings,
        Path("reports/training", f"{model}-finetune"),
    )
    trained = models.count(tuned.trainable_variables)
    card = models.card(model, "finetune", listing, params, best)
    models.save_trained(Path("models", model, "finetune"), backbone, head, trained, card)


if __name__ == "__main__":
    run(main)
