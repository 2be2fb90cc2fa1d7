"""A tuned network for other runtimes: files that hold all it takes, and what each of them loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from stages import zoo
from stages.exports import agreement, answers, litert_files, litert_network, onnx_files, precision
from stages.exports.onnx_network import onnx_network
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
FORMATS = {".onnx": onnx_files.answering, ".tflite": litert_files.answering}
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
    files = list(written(network, card, params.export, folder))
    rows = rows_of(files, judged, card)
    write_table(f"reports/exports/{model}.csv", agreement.COLUMNS, rows)
    lost = [f"{row['file']} loses {row['points_lost']}" for row in rows if "int8" in row["file"]]
    return f"{', '.join(lost)} points on validation pictures"


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


def written(network: keras.Model, card: Mapping, params: Export, folder: Path) -> Iterator[Path]:
    """Each file when it is written."""
    pixels = calibration_pixels(card, params.calibration)
    float32 = onnx_network(network, card["temperature"], folder.parent.name)
    for name, graph in precision.in_precisions(float32, pixels):
        onnx_files.write(graph, card | {"precision": name}, folder / f"{name}.onnx")
        yield folder / f"{name}.onnx"
    if params.litert:
        for name, content in litert_network.in_precisions(network, card["temperature"], pixels):
            litert_files.write(content, card | {"precision": name}, folder / f"{name}.tflite")
            yield folder / f"{name}.tflite"


def calibration_pixels(card: Mapping, number: int) -> np.ndarray:
    """uint8 (number, size, size, 3): training pictures at equal distances, so of every class."""
    listing = datasets.read_listing()
    rows = listing.rows("train")
    places = np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int)
    files = [listing.files[row] for row in rows[places]]
    return datasets.read_pixels(files, card["image_size"], card["background"])


def rows_of(files: Sequence[Path], expected: Predictions, card: Mapping) -> list[Row]:
    """What each file answers, beside what Keras does."""
    threads = answers.threads_of_each(len(files))
    ready = [FORMATS[file.suffix](file, threads) for file in files]
    looks = card["image_size"], card["background"]
    pieces = datasets.pixels_in_pieces(list(expected.files), *looks, BATCH)
    name, total = f"export {card['network']}", len(expected)
    said = answers.answers(ready, followed(pieces, name, total, "picture", len))
    return [
        agreement.row(file.name, file.stat().st_size, expected, own)
        for file, own in zip(files, said, strict=True)
    ]


if __name__ == "__main__":
    run(main)
