"""The other side of against_pytorch.py, in PyTorch's own environment: fine-tuning with timm.

    .parity/bin/python -m benchmarks.pytorch_finetune plain '{"network": "dinov2_s14", …}'

Prints a line at the end of each epoch, its validation included, and measures nothing itself.
`plain` runs the frozen lower blocks in every step, without gradients. `cached` runs them once,
before the first epoch, and trains on what they gave. Weights and pictures are random: speed does
not depend on them. What could be in dispute is decided for PyTorch: pictures are normalised floats
in memory and not varied, the optimiser is the fused one, convolutions are in the memory layout
that is faster here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace

import timm
import torch
from torch import nn

Frozen = Callable[[torch.Tensor], torch.Tensor]


def main(way: str, facts: str) -> None:
    f = SimpleNamespace(**json.loads(facts))
    torch.manual_seed(0)
    torch.set_num_threads(f.threads)
    lower, upper = (
        part.eval().to(memory_format=torch.channels_last) for part in NETWORKS[f.network](f)
    )
    train_set, held_out = (drawn(count, f) for count in (f.pictures, f.validation))
    if way == "cached":
        train_set, held_out = (
            (torch.cat([run_frozen(lower, part) for part in inputs.split(32)]), targets)
            for inputs, targets in (train_set, held_out)
        )
    train(upper, nn.Identity() if way == "cached" else lower, train_set, held_out, f)


def efficientnet_lite0(f: SimpleNamespace) -> tuple[nn.Module, nn.Module]:
    """The frozen lower part, and the tuned upper one with its head."""
    model = timm.create_model("tf_efficientnet_lite0", num_classes=f.classes)
    blocks = [block for stage in model.blocks for block in stage]
    top = model.conv_head, model.bn2, model.global_pool, model.classifier
    below = nn.Sequential(model.conv_stem, model.bn1, *blocks[: -f.blocks])
    return below, nn.Sequential(*blocks[-f.blocks :], *top)


def dinov2_s14(f: SimpleNamespace) -> tuple[nn.Module, nn.Module]:
    # Without LayerScale: ours folds it into the kernels (docs/decisions.md).
    model = timm.create_model("vit_small_patch14_dinov2", img_size=f.size, init_values=None)
    below = nn.Sequential(Embedding(model), *model.blocks[: -f.blocks])
    head = nn.Linear(2 * model.embed_dim, f.classes)
    return below, nn.Sequential(*model.blocks[-f.blocks :], model.norm, ClassAndMean(), head)


NETWORKS = {"efficientnet_lite0": efficientnet_lite0, "dinov2_s14": dinov2_s14}


class Embedding(nn.Module):
    """Pictures → tokens."""

    def __init__(self, vit: nn.Module) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.vit._pos_embed(self.vit.patch_embed(pictures))


class ClassAndMean(nn.Module):
    """The features of ours: the class token beside the mean patch token."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1)


def drawn(count: int, f: SimpleNamespace) -> tuple[torch.Tensor, torch.Tensor]:
    pictures = torch.randn(count, 3, f.size, f.size).to(memory_format=torch.channels_last)
    return pictures, nn.functional.one_hot(torch.arange(count) % f.classes, f.classes).float()


@torch.no_grad()
def run_frozen(lower: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    return lower(pictures)


def train(upper: nn.Module, lower: nn.Module, train_set: tuple, held_out: tuple, f) -> None:
    """The recipe of `finetune` in params.yaml but for its schedule, which costs nothing."""
    weights = [*upper.parameters()]
    optimizer = torch.optim.AdamW(weights, 1e-4, weight_decay=f.weight_decay, fused=True)
    loss = nn.CrossEntropyLoss(label_smoothing=f.label_smoothing)
    for epoch in range(1, f.epochs + 1):
        total = torch.zeros(())
        for rows in torch.randperm(f.pictures).split(f.batch_size):
            batch, targets = mixed(*(part[rows] for part in train_set), f.mixup)
            error = loss(upper(run_frozen(lower, batch)), targets)
            optimizer.zero_grad()
            error.backward()
            if f.clip_norm:
                nn.utils.clip_grad_norm_(weights, f.clip_norm)
            optimizer.step()
            total += error.detach()
        print(f"epoch {epoch}/{f.epochs}", f"{total:.3f}", validate(upper, lower, held_out, f))


def mixed(batch: torch.Tensor, targets: torch.Tensor, beta: float) -> tuple:
    """mixup, as stages/training/batches.py does it."""
    if not beta:
        return batch, targets
    share = torch.distributions.Beta(beta, beta).sample()
    other = torch.randperm(len(batch))
    return torch.lerp(batch[other], batch, share), torch.lerp(targets[other], targets, share)


@torch.no_grad()
def validate(upper: nn.Module, lower: nn.Module, held_out: tuple, f: SimpleNamespace) -> float:
    parts = zip(*(part.split(f.batch_size) for part in held_out), strict=True)
    right = [(upper(lower(x)).argmax(1) == y.argmax(1)).sum().item() for x, y in parts]
    return sum(right) / f.validation


if __name__ == "__main__":
    main(*sys.argv[1:])
