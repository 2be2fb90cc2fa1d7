"""app.predict on made pictures, with a made network that answers with their mean colour."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from app import predict
from app.prediction import answers as answering
from app.prediction import forms, sources
from app.prediction.choice import chosen, exported
from app.prediction.model import load
from stages.errors import ParameterError, StudyError
from stages.web import addresses
from tests.app.made_model import write_model
from tests.web import image_server

COLOURS = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff"}


@pytest.fixture
def pictures(study):
    """A folder with a picture of each colour, and what is none."""
    folder = study / "pictures"
    (folder / "below").mkdir(parents=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", (20, 10), colour).save(folder / f"{name}.png")
    (folder / "red.png").rename(folder / "below/red.PNG")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (folder / "notes.txt").write_text("no picture, and not taken for one")
    write_model(study / "models/tiny_cnn/export")
    return folder


@pytest.fixture
def network(pictures):
    return load(chosen(None, "float32"))


@pytest.fixture
def told(project, pictures):
    """What the command prints, and how it ends."""

    def run(*words: str, given: bytes = b"") -> tuple[str, str, int]:
        environment = os.environ | {"PYTHONPATH": str(project)}
        done = subprocess.run(
            [sys.executable, "-m", "app.predict", *words],
            input=given, capture_output=True, check=False, env=environment,
        )  # fmt: skip
        return done.stdout.decode(), done.stderr.decode(), done.returncode

    return run


def test_a_folder_gives_a_row_for_each_picture_and_a_bad_one_does_not_stop_it(told):
    out, err, code = told("pictures", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["picture"], row["class"]) for row in rows] == [
        ("pictures/below/red.PNG", "Red"),
        ("pictures/blue.png", "Blue"),
        ("pictures/damaged.jpg", ""),
        ("pictures/green.png", "Green"),
    ]
    assert "JPEG" in rows[2]["problem"]
    assert float(rows[0]["probability_1"]) > 0.9
    assert (code, err) == (1, "app.predict: 1 of 4 pictures could not be read\n")


def test_standard_input_is_a_picture_and_json_has_a_line_for_each(told, pictures):
    out, err, code = told(
        "-", "pictures/blue.png", "--format", "jsonl", "--top", "2",
        given=(pictures / "green.png").read_bytes(),
    )  # fmt: skip
    first, second = map(json.loads, out.splitlines())
    assert (first["picture"], first["class"]) == ("standard input", "Green")
    assert [guess["class"] for guess in second["guesses"]] == ["Blue", "Red"]
    assert (err, code) == ("", 0)


def test_half_transparent_parts_show_the_background_of_the_study(study, network):
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(study / "clear.png")
    (answer,) = answering.answers(network, ["clear.png"])
    assert list(answer.probability.values()) == pytest.approx([1 / 3] * 3, abs=1e-6)  # white


def test_what_is_below_the_threshold_is_none_of_the_classes(pictures, network):
    Image.new("RGB", (20, 20), "#ffe0e0").save(pictures / "pale.png")
    places = [str(pictures / "pale.png"), str(pictures / "blue.png")]
    pale, blue = answering.answers(network, places, threshold=0.9)
    assert (pale.best, pale.known, next(iter(pale.probability))) == (None, False, "Red")
    assert blue.best == "Blue"
    text = io.StringIO()
    write = forms.table(text, network.card["classes"], 1)
    write(pale)
    assert f"{forms.NONE}: Red" in text.getvalue()


def test_answers_are_in_the_order_asked_for_whatever_the_batch(pictures, network):
    places = [f"pictures/{name}.png" for name in ["green", "blue"] * 4] + ["pictures/below"]
    for batch in (1, 4, 32):
        found = [answer.best for answer in answering.answers(network, places, batch=batch)]
        assert found == ["Green", "Blue"] * 4 + ["Red"]


def test_a_pattern_is_looked_up_and_a_file_with_such_a_name_is_a_file(pictures):
    Image.new("RGB", (4, 4)).save(pictures / "[1].png")
    names = [source.name for source in sources.found(["pictures/**/*.PNG", "pictures/[1].png"])]
    assert names == ["pictures/below/red.PNG", "pictures/[1].png"]
    (missing,) = sources.found(["pictures/*.gif"])
    with pytest.raises(sources.UnreadableError, match="no such file"):
        missing.read()


def test_a_url_is_fetched_from_public_addresses_alone(study):
    (source,) = sources.found(["http://127.0.0.1:9/cat.png"])
    with pytest.raises(sources.UnreadableError, match="no public address"):
        source.read()


def test_a_url_gives_its_picture_or_what_the_server_says(study, monkeypatch):
    monkeypatch.setenv(addresses.SWITCH, "allow")
    with image_server.running() as server:
        urls = [f"{server.url}{path}" for path in ("/plain.png", "/404.png")]
        good, missing = sources.found(urls)
        assert good.read().startswith(b"\x89PNG")
        with pytest.raises(sources.UnreadableError, match="404 Not Found"):
            missing.read()


def test_too_large_a_file_is_not_read_to_its_end(pictures, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    (pictures / "large.png").write_bytes(bytes(101))
    with pytest.raises(sources.UnreadableError, match="larger than"):
        sources.Source("pictures/large.png").read()


def test_a_name_moves_no_cursor_and_keeps_its_end():
    assert forms.fitted("a\x1b[2Jb", 8) == "a?[2Jb  "
    assert forms.fitted("folder/long-name.png", 9) == "…name.png"
    assert forms.fitted("日本語", 8) == "日本語  "


def test_the_best_network_on_validation_pictures_is_the_first(study):
    shown = {"pictures": 10, "log_loss": 0.3}
    write_model(study / "models/a/export", network="a", validation=shown | {"accuracy": 0.8})
    write_model(study / "models/b/export", network="b", validation=shown | {"accuracy": 0.9})
    assert list(exported()) == ["b", "a"]
    assert chosen("a", "int8").as_posix() == "models/a/export/int8.onnx"


def test_what_is_no_network_is_an_error_that_names_those_that_are(pictures):
    with pytest.raises(ParameterError, match=r"resnet is no file.*: tiny_cnn"):
        chosen("resnet", "int8")
    with pytest.raises(StudyError, match=r"notes\.txt is no network that can be loaded"):
        load(chosen("pictures/notes.txt", "float32"))


def test_without_an_export_the_command_that_makes_one_is_told(study):
    with pytest.raises(StudyError, match="`make repro` exports them"):
        chosen(None, "float32")


def test_a_share_without_a_threshold_is_an_error_with_those_that_have_one():
    with pytest.raises(ParameterError, match=r"--max-error is 0\.3; allowed: 0\.01, 0\.05"):
        predict.threshold_of({0.01: 0.9, 0.05: 0.6}, 0.3)


def test_the_words_of_the_command_are_checked(told):
    assert told("x.png", "--top", "0")[2] == 2
    assert told("x.png", "--max-error", "0.3")[1:] == (
        "app.predict: --max-error is 0.3; allowed: 0.01, 0.05, 0.1\n",
        2,
    )
