"""What makes a stage out of date: with DVC itself, in a project of a few stages."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests import made_params
from tests.tiny_study import attempt, change, repro, run, stages_run

ROOT = Path(__file__).parents[1]
STAGES = ("source_code", "scrape", "to_rgb", "weights")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The stages named, after `dvc repro` on a folder of two pictures and two tiny networks."""
    folder = tmp_path_factory.mktemp("made") / "study"
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__py*"))
    shutil.copytree(ROOT / "data/unset", folder / "data/unset")
    for file in ("requirements.txt", ".dvcignore", "data/exclude.csv"):
        shutil.copy(ROOT / file, folder / file)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    first = {"stages": {name: stages[name] for name in STAGES}}
    (folder / "dvc.yaml").write_text(yaml.safe_dump(first))
    params = made_params.read()
    params["classes"] = {"Cat": {}, "Dog": {}}
    params["models"] = ["tiny_cnn", "tiny_vit"]
    params["scrape"] |= {"source": ["folder"], "folder": "album", "per_class": 1}
    made_params.write(folder, params)
    for name, colour in (("Cat", "red"), ("Dog", "blue")):
        (folder / "album" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), colour).save(folder / "album" / name / "a.png")
    run(folder, sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet")
    everything = {"source_code", "scrape", "to_rgb", "weights@tiny_cnn", "weights@tiny_vit"}
    assert stages_run(repro(folder)) == everything
    assert stages_run(repro(folder)) == set()
    return folder


@pytest.fixture
def study(made, tmp_path) -> Path:
    """A copy of it, for one test."""
    return Path(shutil.copytree(made, tmp_path / "study"))


def would_run(study):
    """What `dvc repro` runs again; `source_code` has to run for that to be known."""
    ran = stages_run(repro(study, "source_code"))
    return ran | stages_run(repro(study, "--dry"))


def test_code_and_packages_run_again_what_they_change_and_nothing_else(study):
    images, network = study / "stages/pictures/images.py", study / "stages/zoo/tiny_cnn.py"
    lock = study / "requirements.txt"
    before = {file: file.read_text() for file in (images, network, lock)}

    images.write_text(before[images].replace('"""', '"""Well: ', 1) + "# a remark\n")
    assert would_run(study) == {"source_code"}

    images.write_text(before[images].replace("compress_level=3", "compress_level=4"))
    assert would_run(study) == {"source_code", "to_rgb"}

    images.write_text(before[images])
    network.write_text(before[network] + "CHANGED = True\n")
    assert would_run(study) == {"source_code", "weights@tiny_cnn"}

    network.write_text(before[network])
    lock.write_text(before[lock].replace("\ntensorflow==", "\ntensorflow==9"))
    assert would_run(study) == {"source_code", "weights@tiny_cnn", "weights@tiny_vit"}


def test_one_more_picture_of_your_own_is_seen_and_taken_in(study):
    Image.new("RGB", (40, 40), "lime").save(study / "album/Cat/0.png")  # the first by name
    said = run(study, sys.executable, "-m", "dvc", "status", "scrape")
    assert "modified:           album" in said
    assert stages_run(repro(study, "to_rgb")) == {"scrape", "to_rgb"}
    assert (study / "data/rgb/Cat/0.png").is_file()


def test_code_edited_after_its_fingerprint_was_taken_is_not_run(study):
    scrape = study / "stages/scrape.py"
    first = '    params = load("classes", "scrape")\n'
    edit = '    open("stages/to_rgb.py", "a").write("EDITED = True\\n")\n'
    assert first in scrape.read_text()
    scrape.write_text(
        scrape.read_text().replace(first, first + edit)
    )  # as somebody would meanwhile
    change(study, lambda params: params["rgb"].update(max_side=30))
    done = attempt(study, sys.executable, "-m", "dvc", "repro")
    assert done.returncode != 0
    said = "stages.to_rgb: stages/to_rgb.py was changed after `dvc repro` began: run it again\n"
    assert said in done.stderr
