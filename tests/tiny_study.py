"""A study of seconds: two tiny networks on drawn shapes, in a clone of the project.

The fixture `tiny_study` (conftest.py) gives each file of tests a copy of one that has run.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dvc.utils.serialize import modify_yaml
from PIL import Image, ImageDraw

from tests import made_params

ROOT = Path(__file__).parents[1]
MODELS = ("tiny_cnn", "tiny_vit")
SHAPES = {"Disc": "ellipse", "Box": "rectangle", "Wedge": "polygon"}
OF_MAKE = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
CLONE = "vitoon"  # its name beside its `pictures` and the user's `cache`


def finish(folder: Path) -> None:
    """Make a clone in a folder, and in it the study, committed as `main`."""
    folder.mkdir()
    clone = folder / CLONE
    run(folder, "git", "clone", "--quiet", str(ROOT), str(clone))
    run(clone, "git", "checkout", "--quiet", "-B", "main")
    copy_working_tree(clone)
    draw_pictures(folder / "pictures")
    change(clone, tiny)
    (clone / "dvc.lock").unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOON_CACHE", str(folder / "cache"))
        assert stages_run(repro(clone)) == every_stage()
    commit(clone, "A tiny study")


def tiny(params: dict) -> None:
    """Seconds instead of minutes: two tiny networks on three classes of drawn shapes."""
    params["classes"] = {name: {"search": [name.lower()], "exclude": ["no"]} for name in SHAPES}
    params["scrape"] |= {"source": "folder", "folder": "../pictures", "per_class": 20}
    params["models"] = list(MODELS)
    params["augment"]["views"] = 2
    params["transfer"] |= {"epochs": 3}
    params["finetune"] |= {"epochs": 2, "learning_rate": 1e-3}
    params["finetune"] |= {"layer_decay": 0.7, "average": True, "class_weights": "balanced"}


def every_stage() -> set[str]:
    return {"source_code", "scrape", "to_rgb", "checks", "split", "report", "cards"} | {
        f"{stage}@{model}{phase}"
        for model in MODELS
        for stage, phase in (
            ("weights", ""),
            ("features", ""),
            ("transfer", ""),
            ("finetune", ""),
            ("evaluate", "-transfer"),
            ("evaluate", "-finetune"),
            ("explain", ""),
            ("export", ""),
        )
    }


def draw_pictures(folder: Path) -> None:
    """Twenty pictures a class, of every colour and place, on white."""
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        (folder / name).mkdir(parents=True)
        for number in range(20):
            picture = Image.new("RGB", (64, 64), "white")
            left, top, width, height = (*rng.integers(2, 24, 2), *rng.integers(16, 38, 2))
            corners = [(left, top), (left + width, top + height)]
            if shape == "polygon":
                corners.append((left, top + height))
            colour = tuple(int(c) for c in rng.integers(0, 200, 3))
            getattr(ImageDraw.Draw(picture), shape)(corners, fill=colour)
            picture.save(folder / name / f"{number:02}.png")


def copy_working_tree(clone: Path) -> None:
    """What is not committed yet is tested too, but with the parameters of the tests."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    shutil.copyfile(made_params.FILE, clone / "params.yaml")


def change(clone: Path, edit) -> None:
    with modify_yaml(clone / "params.yaml") as params:  # as `dvc exp run -S` does
        edit(params)


def dvc(clone: Path, *words: str) -> str:
    return run(clone, sys.executable, "-m", "dvc", *words)


def repro(clone: Path, *words: str) -> str:
    return dvc(clone, "repro", *words)


def stages_run(printed: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.+)':$", printed, re.MULTILINE))


def would_run(study: Path) -> set[str]:
    return stages_run(repro(study, "--dry"))


def make(study: Path, target: str) -> str:
    """With this environment, and not one that it would install into the clone."""
    return run(study, "make", "--no-print-directory", "--assume-old=environment", target)


def commit(study: Path, message: str) -> None:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
    run(study, "git", "add", "--all")
    run(study, "git", *who, "commit", "--quiet", "--no-verify", "--message", message)


def run(folder: Path, *command: str) -> str:
    """What a command prints. Fails with that where the command does."""
    done = attempt(folder, *command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def attempt(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """A command in a folder, with this Python first on the path, and no options of our own make."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    env["PATH"] = path
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
