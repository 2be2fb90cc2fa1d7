"""Features of the published networks themselves, for tests/test_zoo.py to compare with.

Run from the project's folder, in an environment of its own (not in requirements.in):

    pip install torch==2.13.0 onnx onnxruntime numpy platformdirs
    pip install --no-deps efficientnet-lite-pytorch==0.1.0
    python -m tests.reference.make

Writes <network>_<size>.npy beside this file, float32 (4, features) of `pictures(size)`, and
old_torch.pth, which tests/test_weights.py reads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SIZES = {"efficientnet_lite0": (224, 160), "dinov2_s14": (224, 112)}
# Networks whose published files are out of reach: with made-up weights, by tests/zoo/parity, and of
# the first COUNT pictures.
MADE_UP_SIZES = {
    "vit_b32": (224, 384),
    "vit_b16": (224, 384),
    "vit_r26_s32": (224, 256),
    "mobilevit_s": (224, 256),
}
COUNT = 2
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def pictures(size: int) -> np.ndarray:
    """Four pictures (4, size, size, 3), uint8: coarse random squares with fine noise over them."""
    rng = np.random.default_rng(size)
    coarse = rng.integers(0, 200, (4, 8, 8, 3))
    rows = np.arange(size) * 8 // size
    return (coarse[:, rows][:, :, rows] + rng.integers(0, 56, (4, size, size, 3))).astype(np.uint8)


def efficientnet_lite0(file: Path, size: int) -> np.ndarray:
    """Through the PyTorch code of the weights' author."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()
    network.load_state_dict(torch.load(file, weights_only=True))
    values = (pictures(size).astype(np.float32) - 127) / 128
    with torch.no_grad():
        maps = network.extract_features(torch.from_numpy(values.transpose(0, 3, 1, 2).copy()))
    return maps.mean((2, 3)).numpy()


def dinov2_s14(file: Path, size: int) -> np.ndarray:
    """Through ONNX Runtime: the graph resizes its position embeddings itself."""
    import onnx
    import onnxruntime

    model = onnx.load(file)
    tokens = [node for node in model.graph.node if node.name.startswith("/backbone/layernorm/")][-1]
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=tokens.output[0]))
    for axis in (2, 3):  # declared as 224, though all that follows asks the input for its size
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    session = onnxruntime.InferenceSession(model.SerializeToString())
    values = (pictures(size) / np.float32(255) - MEAN) / DEVIATION
    (tokens,) = session.run(None, {"input_image": values.transpose(0, 3, 1, 2)})
    return np.concatenate([tokens[:, 0], tokens[:, 1:].mean(1)], axis=1)


def old_torch_file() -> None:
    """A small file as torch wrote it before 1.6: permuted axes, a shared storage, an integer."""
    import torch

    numbers = torch.arange(24, dtype=torch.float32)
    tensors = {
        "permuted": numbers.clone().reshape(2, 3, 4).permute(2, 0, 1),
        "first": numbers[:4],
        "rest": numbers[4:],
        "count": torch.tensor(7),
    }
    torch.save(tensors, FOLDER / "old_torch.pth", _use_new_zipfile_serialization=False)


def main() -> None:
    from stages import weights, zoo

    old_torch_file()
    for published in (efficientnet_lite0, dinov2_s14):
        name = published.__name__
        with weights.published_file(zoo.lookup(name).ENTRY.weights) as file:
            for size in SIZES[name]:
                np.save(FOLDER / f"{name}_{size}.npy", published(file, size))


if __name__ == "__main__":
    main()
