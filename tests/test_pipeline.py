"""The whole study, as a user runs it: a tiny one, in a clone of its own."""

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


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A clone of the project with a folder of drawn pictures for source, after `dvc repro`."""
    folder = tmp_path_factory.mktemp("study")
    clone = folder / "vitoon"
    run(folder, "git", "clone", "--quiet", str(ROOT), str(clone))
    copy_working_tree(clone)
    draw_pictures(folder / "pictures")
    change(clone, tiny)
    (clone / "dvc.lock").unlink(missing_ok=True)
    assert stages_run(repro(clone)) == every_stage()
    return clone


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
    return {"source_code", "scrape", "to_rgb", "checks", "split", "report"} | {
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


def repro(clone: Path, *words: str) -> str:
    return run(clone, sys.executable, "-m", "dvc", "repro", *words)


def run(folder: Path, *command: str) -> str:
    """What a command prints. Fails with that where the command does."""
    done = attempt(folder, *command)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def attempt(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """A command in a folder, with this Python first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def stages_run(printed: str) -> set[str]:
    return set(re.findall(r"^Running stage '(.+)':$", printed, re.MULTILINE))


def test_a_study_gives_a_leaderboard_of_its_four_runs_on_three_splits(study):
    rows = (study / "reports/leaderboard.csv").read_text().splitlines()
    assert rows[0] == (
        "model,phase,split,images,accuracy,log_loss,macro_precision,macro_recall,macro_f1"
    )
    assert len(rows) == 1 + 2 * 2 * 3


def test_a_second_run_finds_nothing_to_do(study):
    printed = repro(study)
    assert stages_run(printed) == set()
    assert "up to date" in printed


def test_a_parameter_of_transfer_learning_runs_only_what_follows_from_it(study):
    change(study, lambda params: params["transfer"].update(learning_rate=3e-3))
    follows = ("transfer@", "finetune@", "evaluate@", "explain@", "report")
    assert stages_run(repro(study)) == {name for name in every_stage() if name.startswith(follows)}


def test_a_wrong_parameter_ends_in_one_line(study):
    command = [sys.executable, "-m", "stages.split"]
    change(study, lambda params: params["split"].update(train=2.0))
    done = subprocess.run(command, cwd=study, capture_output=True, text=True)
    change(study, lambda params: params["split"].update(train=0.7))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "split.train is 2.0; allowed: a number above 0, below 1" in done.stderr


def test_a_forced_run_changes_no_byte(study):
    lock = (study / "dvc.lock").read_bytes()
    assert stages_run(repro(study, "--force")) == every_stage()
    assert (study / "dvc.lock").read_bytes() == lock


def test_a_repeat_with_the_studys_own_seed_gives_the_studys_own_scores(study):
    run(study, sys.executable, "-m", "stages.repeat", "tiny_cnn", "0")
    board = [row for row in table(study / "reports/leaderboard.csv") if row["model"] == "tiny_cnn"]
    repeated = table(study / "reports/repeats/tiny_cnn-0.csv")
    for own, again in zip(board, repeated, strict=True):
        assert [again[name] for name in ("phase", "split", "images")] == [
            own[name] for name in ("phase", "split", "images")
        ]
        for name in ("accuracy", "macro_f1"):
            assert float(again[name]) == pytest.approx(float(own[name]), abs=6e-5)
    assert not list(study.glob("models/*/repeat-*"))


def test_of_more_repeats_only_the_new_ones_run(study):
    change(study, lambda params: params["evaluate"].update(repeats=[1]))
    assert would_run(study) == {"repeat@tiny_cnn-1", "repeat@tiny_vit-1", "report"}
    for model in MODELS:  # as if they had run
        made = study / f"reports/repeats/{model}-1.csv"
        shutil.copyfile(study / "reports/repeats/tiny_cnn-0.csv", made)
    run(study, sys.executable, "-m", "dvc", "commit", "--force", "repeat")
    change(study, lambda params: params["evaluate"].update(repeats=[1, 2]))
    assert would_run(study) == {"repeat@tiny_cnn-2", "repeat@tiny_vit-2", "report"}
    change(study, lambda params: params["finetune"].update(epochs=3))
    assert would_run(study) >= {f"repeat@{model}-{seed}" for model in MODELS for seed in (1, 2)}


def would_run(study: Path) -> set[str]:
    return stages_run(repro(study, "--dry"))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
