"""Croissant metadata, read by the authors' own library: the pictures and what is known of each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from stages.metadata.croissant import croissant
from stages.metadata.picture_table import COLUMNS, ORIGIN
from stages.pictures import shards
from stages.tables import write_json, write_table

CLASSES = ("Cat", "Cat & <kitten>", "猫 🐱")
COLOURS = ("red", "lime", "blue")
# A process of its own: its cache is a folder that a variable names, and its warnings are its own.
LOAD = """
import json, sys
import mlcroissant
data = mlcroissant.Dataset(sys.argv[1])
def shown(value):
    return value.decode() if isinstance(value, bytes) else value
def text(record):
    picture = record.pop("pictures/image", None)
    found = {key.partition("/")[2]: shown(value) for key, value in record.items()}
    return found | ({"pixel": picture.convert("RGB").getpixel((0, 0))} if picture else {})
print(json.dumps({
    "warnings": sorted(data.metadata.ctx.issues.warnings),
    **{name: [text(r) for r in data.records(name)] for name in ("classes", "splits", "pictures")},
}))
"""


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder data/ with two pictures of each class."""
    for name, colour in zip(CLASSES, COLOURS, strict=True):
        for number in range(2):
            path = tmp_path / "data/rgb" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), colour).save(path)
    return tmp_path / "data"


def rows() -> list[dict]:
    """What data/pictures.csv says: of the first class nothing is known."""
    known = dict.fromkeys(ORIGIN, "") | {"licence": "CC0-1.0", "title": 'A "set", of two'}
    return [
        {"file": f"{name}/{number}.png", "class": name, "split": ("train", "test")[number]}
        | {"group": place}
        | (known if place else dict.fromkeys(ORIGIN, ""))
        for place, name in enumerate(CLASSES)
        for number in range(2)
    ]


def load(data: Path) -> dict:
    write_table(data / "pictures.csv", COLUMNS, rows())
    write_json(data / "croissant.json", croissant(rows(), data))
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(data / "croissant.json")]
    env = os.environ | {"CROISSANT_CACHE": str(data.parent / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Could not match" not in done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("loose", [10, 5])
def test_its_records_are_the_pictures_loose_or_in_shards(data, monkeypatch, loose):
    monkeypatch.setattr(shards, "LOOSE", loose)
    monkeypatch.setattr(shards, "PER_SHARD", 1)
    shards.pack(data / "rgb")
    assert len(list(data.glob("rgb/*.zip"))) == (6 if loose == 5 else 0)
    found = load(data)
    pixels = {"Cat": [255, 0, 0], "Cat & <kitten>": [0, 255, 0], "猫 🐱": [0, 0, 255]}
    wanted = {
        row["file"]: {name: value if value != "" else None for name, value in row.items()}
        | {"pixel": pixels[row["class"]]}
        for row in rows()
    }
    assert len(found["pictures"]) == len(wanted)
    assert {row["file"]: row for row in found["pictures"]} == wanted
    assert found["classes"] == [{"name": name} for name in CLASSES]
    assert [row["name"] for row in found["splits"]] == ["train", "validation", "test"]
    # What a study does not know of itself, its publisher adds.
    recommended = ("citeAs", "datePublished", "version")
    assert len(found["warnings"]) == len(recommended)
    for warning, name in zip(found["warnings"], recommended, strict=True):
        assert name in warning


def test_a_changed_table_is_refused(data):
    load(data)
    with (data / "pictures.csv").open("a") as table:
        table.write("Cat/2.png,Cat,train,9,,,,,,,\n")
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(data / "croissant.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "not identical with the reference" in done.stderr


def test_it_names_each_licence_once_and_no_place_of_this_machine(data):
    write_table(data / "pictures.csv", COLUMNS, rows())
    metadata = croissant(rows(), data)
    assert metadata["license"] == ["CC0-1.0"]
    assert metadata["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert str(data.parent) not in json.dumps(metadata)
    assert metadata == croissant(rows(), data)
