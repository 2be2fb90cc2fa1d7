"""A head and the network tuned from it on one more split, a fold's or that of another seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from stages import zoo
from stages.pictures.datasets import Listing
from stages.training import devices
from stages.training.activations import FrozenBackbone
from stages.training.batches import stored
from stages.training.determinism import make_reproducible
from stages.training.heads import Heads, TrainedHead
from stages.training.tuning import Tuned, of_network, tuned_network


@contextmanager
def both_phases(
    name: str, model: str, listing: Listing, params: SimpleNamespace
) -> Iterator[tuple[TrainedHead, Tuned]]:
    """As the stages `transfer` and `finetune` train them; nothing of either is kept.

    `params` has `seed`, `device`, `rgb.background`, `augment`, `transfer` and `finetune`; `name`
    tells the checkpoints, which are gone after the block, from those of other splits.
    """
    make_reproducible(params.seed)
    device = devices.choose(params.device, zoo.lookup(model).ENTRY.family)
    settings = of_network(params.finetune, model)
    activations = FrozenBackbone(model, listing.files, params, device).activations()
    features = stored(Path("models", model, "features"), listing, params.transfer, params.seed)
    tuning = stored(activations, listing, settings, params.seed)
    with (
        Heads(device).trained(f"{model}-transfer-{name}", features) as head,
        tuned_network(f"{model}-finetune-{name}", model, head.head, tuning, device) as tuned,
    ):
        yield head, tuned
