"""A small study in Git and DVC, some revisions long; no stage runs."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from PIL import Image, ImageDraw

from stages import split
from stages.pictures import conversions, images, shards
from stages.tables import write_json, write_table
from tests import made_params

STAGES = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())["stages"]
MADE = ("to_rgb", "split")
GIT = ("git", "-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")

Pictures = dict[str, tuple[str, str]]  # file → colour, split


def start(folder: Path) -> None:
    """A repository with the stages that make pictures; what they depend on is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    if git(folder.parent, "rev-parse", "--git-dir", check=False).returncode:
        git(folder, "init", "--quiet")
    Repo.init(str(folder), subdir=not (folder / ".git").exists()).close()
    keys = ("cmd", "params", "outs")
    stages = {name: {key: STAGES[name][key] for key in keys} for name in MADE}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / ".gitignore").write_text("/data\n/reports\n")
    made_params.write(folder, made_params.read())


def write(
    folder: Path, pictures: Pictures, left_out: dict[str, str] | None = None, loose: bool = True
) -> None:
    """The pictures as `to_rgb` and `split` leave them; `left_out` has colours and reasons.

    In shards, where they are not `loose`: packed by the project's own code, told to begin earlier.
    """
    rgb, rows = folder / "data/rgb", []
    for file in rgb.rglob("*.*"):
        file.unlink()
    for file, (colour, _) in pictures.items():
        (rgb / file).parent.mkdir(parents=True, exist_ok=True)
        (rgb / file).write_bytes(drawn(colour))
        rows.append(row(file, colour) | {"file": file, "status": "kept"})
    for colour, reason in (left_out or {}).items():
        rows.append(row("Cat/x.png", colour) | {"status": "excluded", "reason": reason})
    if not loose:
        before, shards.LOOSE = shards.LOOSE, 0
        shards.pack(rgb)
        shards.LOOSE = before
    write_table(rgb / "manifest.csv", conversions.COLUMNS, rows)
    table = [
        {"file": file, "class": file.partition("/")[0], "group": number, "split": name, "fold": 2}
        for number, (file, (_, name)) in enumerate(pictures.items())
        if name
    ]
    write_table(folder / "data/split.csv", split.COLUMNS, table)
    for name in MADE:
        write_json(folder / f"reports/{name}.json", {})


def row(file: str, colour: str) -> dict[str, str]:
    name = file.partition("/")[0]
    sha256 = hashlib.sha256(drawn(colour)).hexdigest()
    facts = {"class": name, "raw": file, "sha256": sha256, "image_url": f"https://e.org/{colour}"}
    return conversions.BLANK | facts


@cache
def drawn(colour: str) -> bytes:
    picture = Image.new("RGB", (120, 80), "white")
    ImageDraw.Draw(picture).ellipse((10, 10, 100, 70), fill=colour)
    return images.as_png(picture)


def commit(folder: Path, tag: str) -> None:
    """What `dvc commit`, `git commit` and `git tag` do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Repo() as repo:
            repo.commit(force=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", tag)
    git(folder, "tag", tag)


def git(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run([*GIT, *words], cwd=folder, check=check, capture_output=True, text=True)
