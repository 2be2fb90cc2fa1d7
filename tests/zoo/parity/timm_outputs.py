"""Features of timm's networks with made-up weights: the second opinion on ours.

    make parity                          # checks tests/zoo/reference/ and then our networks
    python -m tests.zoo.parity.timm_outputs --write     # in that environment: makes the references

Each network is loaded by timm's own loader from a file in the publisher's layout
(tests/zoo/reference/made_up.py). tests/zoo/test_parity.py compares ours with the same references.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.ndimage
import timm
import torch
from safetensors.torch import load_file

from tests.zoo.reference import made_up, make

POSITIONS = "Transformer/posembed_input/pos_embedding"
# Name in timm, pixels of a patch.
TRANSFORMERS = {
    "vit_b32": ("vit_base_patch32_224", 32),
    "vit_b16": ("vit_base_patch16_224", 16),
    "vit_r26_s32": ("vit_small_r26_s32_224", 32),
}


def features(name: str, size: int) -> np.ndarray:
    """float32 (n, features) of `make.pictures(size)`."""
    pictures = torch.from_numpy(make.pictures(size)[: make.COUNT]).permute(0, 3, 1, 2).float()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        if name == "mobilevit_s":
            return mobilevit(Path(folder, "w.safetensors"))(pictures / 255).numpy()
        model = transformer(name, size, Path(folder, "w.npz"))
        return model.forward_features(pictures / 127.5 - 1)[:, 0].numpy()


def mobilevit(file: Path) -> torch.nn.Module:
    made_up.write(file, made_up.tensors("mobilevit_s"))
    model = timm.create_model("mobilevit_s").eval()
    missing, unknown = model.load_state_dict(load_file(file), strict=False)
    assert not unknown
    assert all(key.endswith("num_batches_tracked") for key in missing)
    model.reset_classifier(0)
    return model


def transformer(name: str, size: int, file: Path) -> torch.nn.Module:
    """Position embeddings are resized as the publisher's code does it, which is not timm's way."""
    kind, patch = TRANSFORMERS[name]
    values = made_up.tensors(name)
    values[POSITIONS] = resized(values[POSITIONS], size // patch)
    made_up.write(file, values)
    model = timm.create_model(kind, img_size=size).eval()
    model.load_pretrained(str(file))
    return model


def resized(positions: np.ndarray, grid: int) -> np.ndarray:
    """As vision_transformer's `interpolate_posembed` does it: `zoom` of SciPy, order 1."""
    side = round((positions.shape[1] - 1) ** 0.5)
    square = positions[0, 1:].reshape(side, side, -1)
    zoomed = scipy.ndimage.zoom(square, (grid / side, grid / side, 1), order=1)
    return np.concatenate([positions[0, :1], zoomed.reshape(grid**2, -1)])[None]


def main() -> None:
    for name, sizes in make.MADE_UP_SIZES.items():
        for size in sizes:
            reference, found = make.FOLDER / f"{name}_{size}.npy", features(name, size)
            if "--write" in sys.argv:
                np.save(reference, found)
            else:
                np.testing.assert_allclose(found, np.load(reference), atol=1e-5, rtol=0)
            print(f"{name} {size}: timm's features, {found.std():.2f} around {found.mean():.2f}")


if __name__ == "__main__":
    main()
