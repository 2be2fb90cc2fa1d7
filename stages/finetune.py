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
    backbone, head, tuned = to_tune(model, params.finetune.blocks, len(listing.classes))
    rate = own_value(params.finetune.learning_rate, model, zoo.lookup(model).ENTRY.tune_rate)
    params.finetune = params.finetune.model_copy(update={"learning_rate": rate})

    folder = Path("models", model, "activations")
    views, clean = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("views", "clean"))
    targets = one_hot(listing.labels, len(listing.classes))
    rows, held_out = listing.rows("train"), listing.rows("validation")
    batches = Batches(views, targets[rows], params.finetune, params.seed)
    validation = clean[held_out, 0].astype(np.float32), targets[held_out]
    curve = Path("reports/training", f"{model}-finetune")
    best = train(tuned, batches, validation, params.finetune, curve)

    card = models.card(model, "finetune", listing, params, best)
    trained = models.count(tuned.trainable_variables)
    models.save_trained(Path("models", model, "finetune"), backbone, head, trained, card)


def to_tune(
    model: str, blocks: object, classes: int
) -> tuple[keras.Model, keras.Model, keras.Model]:
    """The pretrained backbone, the transferred head, and of both the part that is trained."""
    backbone = models.pretrained(model)
    upper = models.upper(backbone, models.cut_at(model, backbone, blocks))
    head = models.load_head(Path("models", model, "transfer"), upper.output_shape[1], classes)
    return backbone, head, keras.Model(upper.input, head(upper.output))


if __name__ == "__main__":
    run(main)
