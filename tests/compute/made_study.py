"""A study of drawn pictures in a folder, and its stages as processes that may be killed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from stages import tables
from stages.pictures import exclusions
from tests import made_params

PROJECT = Path(__file__).resolve().parents[2]
MODEL = "tiny_cnn"
LOCAL = {"engine": "local", "address": "", "resource": ""}


def make(folder: Path, pictures: int, compute: dict[str, str] = LOCAL) -> Path:
    """Up to the stage before to_rgb: pictures of two classes, one of which is none."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(pictures):
        path = folder / "data/raw" / ("Cat", "Dog")[number % 2] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = rng.integers(0, 256, (3, 4, 3), np.uint8)
        Image.fromarray(colours).resize((40, 30), Image.Resampling.NEAREST).save(path)
    (folder / "data/raw/Dog/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    raw = sorted(path.relative_to(folder / "data/raw") for path in folder.glob("data/raw/*/*"))
    rows = [{"file": str(path), "class": path.parts[0], "image_url": ""} for path in raw]
    tables.write_table(folder / "data/raw/manifest.csv", ("file", "class", "image_url"), rows)
    tables.write_table(folder / "data/exclude.csv", exclusions.COLUMNS, [])
    (folder / "stages").symlink_to(PROJECT / "stages")
    shutil.copy(PROJECT / "requirements.txt", folder)
    use(folder, compute)
    return folder


def use(folder: Path, compute: dict[str, str]) -> None:
    """Let its stages run elsewhere."""
    content = made_params.read()
    content["compute"] = compute
    content["augment"]["views"] = 3
    made_params.write(folder, content)


def train(folder: Path) -> None:
    """A made-up head on the pretrained backbone, and every second picture a test picture."""
    from stages.networks import models

    pretrained = folder / "models" / MODEL / "pretrained"
    files = sorted(path.relative_to(folder / "data/rgb") for path in folder.glob("data/rgb/*/*"))
    parts = [("test", 0) if number % 2 else ("train", 2) for number in range(len(files))]
    rows = [
        {
            "file": str(file),
            "class": file.parts[0],
            "split": split,
            "fold": fold,
            "group": str(file),
        }
        for file, (split, fold) in zip(files, parts, strict=True)
    ]
    tables.write_table(folder / "data/split.csv", tuple(rows[0]), rows)
    features = models.load_backbone(pretrained).output_shape[1]
    head = models.head(features, 2)
    kernel = np.random.default_rng(0).normal(size=(features, 2))
    head.get_layer("logits").set_weights([kernel, np.zeros(2)])
    card = tables.read_json(pretrained / "card.json")
    card |= {"background": "#ffffff", "classes": ["Cat", "Dog"]}
    trained = folder / "models" / MODEL / "finetune"
    models.save_trained(trained, pretrained / models.BACKBONE, head, 1, card, np.zeros((1, 2)))


def run(folder: Path, stage: str, word: str = "-", pause: float = 0) -> str:
    """A stage to its end; what it printed."""
    with started(folder, stage, word, pause) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    return printed


def interrupted(
    folder: Path, stage: str, word: str, after: int, act: Callable[[subprocess.Popen], None]
) -> tuple[int, str]:
    """A slow stage, to which something is done after some pieces; its exit code and words."""
    printed, pieces = "", 0
    with started(folder, stage, word, pause=0.05) as process:
        for line in process.stdout:
            printed += line
            pieces += line == "written\n"
            if pieces == after and line == "written\n":
                act(process)
    return process.returncode, printed


def started(folder: Path, stage: str, word: str, pause: float) -> subprocess.Popen:
    env = os.environ | {"VITOON_CACHE": str(folder / "cache"), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "tests.compute.slowly", word, stage, str(pause)]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=env, **piped)


def made(folder: Path) -> dict[str, bytes]:
    """Every file that the stages over pictures have made, and the activations."""
    places = ("data/rgb", "reports", "models/*/features", "cache/activations")
    files = (file for place in places for top in folder.glob(place) for file in top.rglob("*"))
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in files
        if file.is_file() and file.suffix != ".lock"
    }
