"""An exported network, made by hand: it answers with the picture's mean red, green and blue."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "network": "tiny_cnn",
    "title": "Tiny CNN",
    "family": "cnn",
    "phase": "finetune",
    "precision": "float32",
    "image_size": 16,
    "background": "#ffffff",
    "max_side": 64,
    "max_megapixels": 1,
    "classes": ["Red", "Green", "Blue"],
    "temperature": 1.0,
    "thresholds": {"0.01": 0.9, "0.05": 0.6, "0.1": 0.4},
    "validation": {"pictures": 20, "accuracy": 0.9, "log_loss": 0.3},
    "licences": {"weights": "Apache-2.0", "pictures": ["CC0-1.0"]},
}


def write_model(folder: Path, **changes: object) -> Path:
    """`float32.onnx` and `card.json` in a folder; the file. `changes` are to the card."""
    card = CARD | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(card))
    side = card["image_size"]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled"], ["logits"], axes=[1, 2], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["pictures", side, side, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["pictures", 3])],
        [numpy_helper.from_array(np.float32(10 / 255), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"card": json.dumps(card)})
    onnx.save(model, folder / "float32.onnx")
    return folder / "float32.onnx"
