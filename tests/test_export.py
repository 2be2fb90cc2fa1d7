"""The stage export, as it ran in the tiny study."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import pytest
from dvc.utils.serialize import modify_yaml

from stages import export
from stages.pictures import datasets
from stages.statistics import calibration, scores
from stages.tables import read_json, read_table

MODELS = ("tiny_cnn", "tiny_vit")
FARTHEST = {"float32": 1e-5, "float16": 0.005, "int8": 0.1}  # from Keras, on average

# What an application has to do, with onnxruntime and numpy alone.
ALONE = """
import sys
for name in ("tensorflow", "keras", "stages", "onnx", "PIL"):
    sys.modules[name] = None  # an import of it fails
import json, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
card = json.loads(session.get_modelmeta().custom_metadata_map["card"])
pixels = numpy.load(sys.argv[2])
assert pixels.shape[1] == card["image_size"]
numpy.save(sys.argv[3], session.run(None, {"pixels": pixels})[0])
"""


@pytest.fixture(autouse=True)
def _in_the_study(tiny_study, monkeypatch):
    monkeypatch.chdir(tiny_study)


def judged(model: str) -> scores.Predictions:
    said = scores.read_predictions(f"reports/predictions/{model}-finetune.csv")
    temperature = read_json(f"models/{model}/export/card.json")["temperature"]
    return calibration.temperature_scaled(said.of("test"), temperature)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", FARTHEST)
def test_onnxruntime_alone_says_what_keras_says(tmp_path, model, precision):
    expected = judged(model)
    card = read_json(f"models/{model}/export/card.json")
    pixels = datasets.read_pixels(list(expected.files), card["image_size"], card["background"])
    np.save(tmp_path / "pixels.npy", pixels)
    file = f"models/{model}/export/{precision}.onnx"
    places = [tmp_path / "pixels.npy", tmp_path / "said.npy"]
    subprocess.run([sys.executable, "-I", "-c", ALONE, file, *places], check=True)
    found = np.load(tmp_path / "said.npy")
    assert np.abs(found - expected.probability).mean() < FARTHEST[precision]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_file_has_its_card_in_it(model):
    card = read_json(f"models/{model}/export/card.json")
    trained = read_json(f"models/{model}/finetune/card.json")
    assert card["classes"] == trained["classes"]
    assert card["training"] == trained["training"]
    assert card["licences"]["weights"]
    for precision in ("float32", "float16", "int8"):
        model_file = onnx.load(f"models/{model}/export/{precision}.onnx")
        (told,) = (entry.value for entry in model_file.metadata_props if entry.key == "card")
        assert json.loads(told) == card | {"precision": precision}


@pytest.mark.parametrize("model", MODELS)
def test_the_table_says_what_each_file_weighs_and_loses(tiny_study, model):
    rows = {row["file"]: row for row in read_table(f"reports/exports/{model}.csv")}
    assert list(rows) == ["float32.onnx", "float16.onnx", "int8.onnx"]
    for file, row in rows.items():
        assert int(row["bytes"]) == (tiny_study / f"models/{model}/export/{file}").stat().st_size
    full = rows["float32.onnx"]
    assert (full["agreement"], full["points_lost"]) == ("1.0000", "0.00")
    keras = judged(model)
    accuracy = np.mean(keras.predicted == keras.actual)
    assert float(full["test_accuracy"]) == pytest.approx(accuracy, abs=1e-4)


def test_litert_files_come_beside_the_onnx_files_where_they_are_asked_for(tmp_path, monkeypatch):
    for part in ("data", "models/tiny_cnn/finetune", "reports/predictions"):
        shutil.copytree(part, tmp_path / part)
    shutil.copy("params.yaml", tmp_path)
    before = Path("models/tiny_cnn/export").resolve()
    monkeypatch.chdir(tmp_path)
    with modify_yaml("params.yaml") as params:
        params["export"]["litert"] = True
    export.main("tiny_cnn")
    rows = {row["file"]: row for row in read_table("reports/exports/tiny_cnn.csv")}
    wanted = [f"{name}.{kind}" for kind in ("onnx", "tflite") for name in FARTHEST]
    assert list(rows) == wanted
    assert rows["float32.tflite"]["agreement"] == "1.0000"
    for file in wanted[:3]:
        assert Path("models/tiny_cnn/export", file).read_bytes() == (before / file).read_bytes()
    with ZipFile("models/tiny_cnn/export/int8.tflite") as archive:
        card = json.loads(archive.read("card.json"))
    assert card == read_json("models/tiny_cnn/export/card.json") | {"precision": "int8"}


def test_pictures_to_calibrate_on_are_training_pictures_of_every_class(monkeypatch):
    listing = datasets.read_listing()
    asked = []
    monkeypatch.setattr(datasets, "read_pixels", lambda files, *_: asked.extend(files))
    export.calibration_pixels({"image_size": 32, "background": "#ffffff"}, 8)
    training = {listing.files[row]: listing.labels[row] for row in listing.rows("train")}
    assert {training[file] for file in asked} == set(range(len(listing.classes)))
    assert len(set(asked)) == len(asked) == 8
