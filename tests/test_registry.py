"""The model registry: a version is registered, fetched elsewhere, and is the study's network."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.networks import models
from stages.params import NETWORKS
from stages.pictures import datasets
from stages.statistics.scores import from_logits, read_predictions
from stages.zoo import lookup
from tests.tiny_study import ROOT, attempt, commit, dvc, run

FILES = ("backbone.safetensors", "card.json", "head.safetensors", "logits.npy")


def test_every_network_of_the_zoo_is_in_the_registry():
    listed = yaml.safe_load((ROOT / "models/dvc.yaml").read_text())["artifacts"]
    assert list(listed) == list(NETWORKS)
    for name, entry in listed.items():
        facts = lookup(name).ENTRY
        assert entry == {
            "path": f"{name}/finetune",
            "type": "model",
            "desc": facts.title,
            "labels": [facts.family],
        }


@pytest.fixture(scope="module")
def server(tiny_study, tmp_path_factory) -> Path:
    """A repository as a Git server has it, without files; its remote has what DVC keeps.

    One version of tiny_vit is registered, and is in production; tiny_cnn has no version.
    """
    folder = tmp_path_factory.mktemp("server")
    dvc(tiny_study, "remote", "add", "--default", "store", str(folder / "store"))
    commit(tiny_study, "A remote")
    dvc(tiny_study, "push", "--quiet", "models/tiny_vit/finetune")
    run(folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", "study.git")
    run(tiny_study, "git", "remote", "set-url", "origin", str(folder / "study.git"))
    run(tiny_study, "git", "config", "user.name", "Nobody")
    run(tiny_study, "git", "config", "user.email", "nobody@example.com")
    run(tiny_study, "gto", "register", "models:tiny_vit", "--version", "v1.0.0")
    run(tiny_study, "gto", "assign", "models:tiny_vit", "--version", "v1.0.0", "--stage", "prod")
    run(tiny_study, "git", "push", "--quiet", "--tags", "origin", "main")
    return folder / "study.git"


@pytest.fixture(scope="module")
def fetched(server, tmp_path_factory) -> Path:
    """The model of stage prod, in a folder that is no project."""
    folder = tmp_path_factory.mktemp("elsewhere")
    dvc(folder, "artifacts", "get", str(server), "models:tiny_vit", "--stage", "prod", "-o", "vit")
    return folder / "vit"


def test_a_fetched_model_is_the_studys_own(tiny_study, fetched):
    own = tiny_study / "models/tiny_vit/finetune"
    assert sorted(path.name for path in fetched.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (fetched / name).read_bytes() == (own / name).read_bytes()


def test_the_registry_shows_versions_and_stages(tiny_study):
    shown = run(tiny_study, "gto", "show", "--plain").split()
    assert shown == ["name", "latest", "#prod", "models:tiny_vit", "v1.0.0", "v1.0.0"]


@pytest.mark.parametrize(
    "words",
    [("models:tiny_cnn",), ("models:tiny_vit", "--rev", "v2.0.0")],
)
def test_what_is_not_registered_is_not_found(server, tmp_path, words):
    done = attempt(tmp_path, "dvc", "artifacts", "get", str(server), *words)
    assert done.returncode != 0
    assert f"Unable to find artifact '{words[0]}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_fetched_model_says_of_every_picture_what_the_study_says(
    tiny_study, fetched, monkeypatch
):
    monkeypatch.chdir(tiny_study)
    network, card = models.load_trained(fetched)
    listing = datasets.read_listing()
    looks = card["image_size"], card["background"]
    pixels = datasets.read_pixels(listing.files, *looks)
    logits = network.predict(np.asarray(datasets.scaled(pixels)), verbose=0)
    told = read_predictions("reports/predictions/tiny_vit-finetune.csv")
    assert told.files.tolist() == listing.files
    np.testing.assert_allclose(from_logits(listing, logits).probability, told.probability, 1e-4)


def test_a_model_is_loaded_as_its_card_says(tiny_study, monkeypatch):
    monkeypatch.chdir(tiny_study)
    card = Path("reports/model_cards/tiny_vit.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names = {}
    exec(code, names)
    told = read_predictions("reports/predictions/tiny_vit-finetune.csv").of("test")
    assert names["files"] == [told.files[0]]
    assert names["card"]["classes"][names["logits"][0].argmax()] == told.classes[told.predicted[0]]
