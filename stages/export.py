"""A tuned network for other runtimes: files that hold all it takes, and what each of them loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx

from stages import zoo
from stages.exports import agreement, onnx_files
from stages.exports.onnx_network import onnx_network
from stages.exports.precision import float16_weights, int8_weights
from stages.metadata.picture_table import licence, picture_rows
from stages.networks import models
from stages.params import Export, Rgb, load
from stages.pictures import datasets
from stages.runtime.program import run
from stages.runtime.progress import followed
from stages.statistics import calibration
from stages.statistics.scores import Predictions, read_predictions, summary
from stages.tables import Row, read_table, write_json, write_table
from stages.training import devices

BATCH = 32
RISKS = (0.01, 0.02, 0.05, 0.1)  # shares of wrong answers, for which the card names a confidence
CARRIED = (
    *("network", "title", "family", "phase", "image_size", "background", "classes"),
    *("seed", "training", "split_sha256"),
)


def main(model: str) -> str:
    params = load("rgb.max_side", "rgb.max_megapixels", "export")
    devices.choose("cpu")
    network, trained = models.load_trained(Path("models", model, "finetune"))
    said = read_predictions(f"reports/predictions/{model}-finetune.csv")
    temperature = calibration.fit_temperature(said.of("validation"))
    judged = calibration.temperature_scaled(said.where(said.splits != "train"), temperature)
    card = export_card(trained, params.rgb, temperature, judged.of("validation"))

    folder = Path("models", model, "export")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "card.json", card)
    graphs = in_precisions(onnx_network(network, temperature, model), card, params.export)
    rows = [save(graph, card | {"precision": name}, judged, folder) for name, graph in graphs]
    write_table(f"reports/exports/{model}.csv", agreement.COLUMNS, rows)
    return "int8: {points_lost} points lost on validation pictures".format(**rows[-1])


def export_card(trained: Mapping, rgb: Rgb, temperature: float, validation: Predictions) -> dict:
    """What a file has to say of itself; `validation` are calibrated predictions."""
    scores = summary(validation)
    return {
        **{key: trained[key] for key in CARRIED},
        "max_side": rgb.max_side,
        "max_megapixels": rgb.max_megapixels,
        "temperature": temperature,
        "thresholds": {f"{risk:g}": calibration.confidence_for(risk, validation) for risk in RISKS},
        "validation": {
            "pictures": len(validation),
            "accuracy": scores["accuracy"],
            "log_loss": scores["log_loss"],
        },
        "licences": {
            "weights": zoo.lookup(trained["network"]).ENTRY.licence,
            "pictures": licences(),
        },
    }


def licences() -> list[str]:
    """The names of those that the study's pictures have."""
    tables = ("data/split.csv", "data/rgb/manifest.csv", "data/raw/manifest.csv")
    pictures = picture_rows(*(read_table(table) for table in tables))
    return sorted({licence(row) for row in pictures} - {""})


def in_precisions(
    float32: onnx.ModelProto, card: Mapping, params: Export
) -> Iterator[tuple[str, onnx.ModelProto]]:
    yield "float32", float32
    yield "float16", float16_weights(float32)
    yield "int8", int8_weights(float32, calibration_pixels(card, params.calibration))


def calibration_pixels(card: Mapping, number: int) -> np.ndarray:
    """uint8 (number, size, size, 3): training pictures at equal distances, so of every class."""
    listing = datasets.read_listing()
    rows = listing.rows("train")
    places = np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int)
    files = [listing.files[row] for row in rows[places]]
    return datasets.read_pixels(files, card["image_size"], card["background"])


def save(graph: onnx.ModelProto, card: Mapping, keras: Predictions, folder: Path) -> Row:
    """Write a file, and return its row: what it answers, beside what Keras does."""
    file = folder / f"{card['precision']}.onnx"
    onnx_files.write(graph, card, file)
    looks = card["image_size"], card["background"]
    pieces = datasets.pixels_in_pieces(list(keras.files), *looks, BATCH)
    name, total = f"export {card['network']} {file.name}", len(keras)
    found = onnx_files.probabilities(file, followed(pieces, name, total, "picture", len))
    return agreement.row(file.name, file.stat().st_size, keras, found)


if __name__ == "__main__":
    run(main)
