"""Which sources' code makes a scrape out of date: with DVC itself, in a project of two stages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture
def study(tmp_path):
    """The first two stages, on a folder of two pictures."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__py*"))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    first = {"stages": {name: stages[name] for name in ("source_code", "scrape")}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(first))
    params = yaml.safe_load((ROOT / "tests/params.yaml").read_text())
    params["classes"] = {"Cat": {}, "Dog": {}}
    params["scrape"] |= {"source": ["folder"], "folder": "album", "per_class": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for name, colour in (("Cat", "red"), ("Dog", "blue")):
        (tmp_path / "album" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), colour).save(tmp_path / "album" / name / "a.png")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    return tmp_path


def dvc(folder, *words):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stages_run(study):
    lines = dvc(study, "repro").splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def add_line(file):
    with file.open("a") as code:
        code.write("\nCHANGED = True\n")


def test_a_change_to_a_source_scrapes_again_from_it_and_from_no_other(study):
    assert stages_run(study) == ["source_code", "scrape"]
    assert stages_run(study) == []
    add_line(study / "stages/sources/bing.py")
    add_line(study / "stages/client.py")
    assert stages_run(study) == ["source_code"]
    add_line(study / "stages/sources/listing.py")  # what folder reads its lists with
    assert stages_run(study) == ["source_code", "scrape"]
    add_line(study / "stages/shortage.py")  # words only
    assert stages_run(study) == []
