"""The whole study, as a user runs it: a tiny one, in a clone of its own."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dvc.utils.serialize import load_yaml, modify_yaml
from PIL import Image, ImageDraw

from tests import made_params

ROOT = Path(__file__).parents[1]
MODELS = ("tiny_cnn", "tiny_vit")
SHAPES = {"Disc": "ellipse", "Box": "rectangle", "Wedge": "polygon"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Iterator[Path]:
    """A user's cache of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("VITOON_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def study(tmp_path_factory, cache) -> Path:
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


def test_make_repro_says_where_results_differ_though_nothing_was_changed(study):
    """Another processor is not at hand: the commit is given other bytes of the features."""
    commit(study, "Results of this machine")
    assert "made other results" not in make(study, "repro")
    lock = (study / "dvc.lock").read_text()
    entry = re.compile(r"(path: models/tiny_cnn/features\n +hash: md5\n +md5: )\w+")
    other = entry.sub(r"\g<1>0123456789abcdef0123456789abcdef.dir", lock, count=1)
    (study / "dvc.lock").write_text(other)
    commit(study, "Results of another machine")
    (study / "dvc.lock").write_text(lock)
    *_, line = make(study, "repro").splitlines()
    assert "of the same inputs features@tiny_cnn made other results than the committed" in line
    run(study, "git", "restore", "dvc.lock", "reports")  # as the line says
    assert (study / "dvc.lock").read_text() == other
    (study / "dvc.lock").write_text(lock)


def test_make_status_names_the_stages_that_an_edit_of_code_concerns(study):
    assert make(study, "status").strip() == "Data and pipelines are up to date."
    code = study / "stages/explain.py"
    before = code.read_text()
    code.write_text(before.replace("BATCH = 8", "BATCH = 4"))
    said = make(study, "status")
    code.write_text(before)
    assert set(re.findall(r"^([a-z_]+)@?\S*:$", said, re.M)) == {"explain"}
    make(study, "status")  # takes the fingerprints back


def make(study: Path, target: str) -> str:
    """With this environment, and not one that it would install into the clone."""
    return run(study, "make", "--no-print-directory", "--assume-old=environment", target)


def commit(study: Path, message: str) -> None:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
    run(study, "git", "add", "--all")
    run(study, "git", *who, "commit", "--quiet", "--no-verify", "--message", message)


def test_a_parameter_of_transfer_learning_runs_only_what_follows_from_it(study):
    change(study, lambda params: params["transfer"].update(learning_rate=3e-3))
    last = "evaluate@tiny_cnn-finetune"  # of one network, to save half the time
    assert stages_run(repro(study, last)) == {"transfer@tiny_cnn", "finetune@tiny_cnn", last}
    change(study, lambda params: params["transfer"].update(learning_rate=1e-3))
    assert stages_run(repro(study)) == set()  # DVC remembers what came of it


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
    last = (
        "checks",
        "evaluate@tiny_vit-transfer",
        "evaluate@tiny_vit-finetune",
        "explain@tiny_vit",
    )
    ran = stages_run(repro(study, "--force", *last))  # tiny_cnn is trained again further below
    assert ran == {name for name in every_stage() if "tiny_cnn" not in name} - {"report"}
    repro(study, "--force", "--single-item", "report")
    assert (study / "dvc.lock").read_bytes() == lock


def test_fine_tuning_makes_missing_activations_again_to_the_same_bytes(study, cache):
    lock = (study / "dvc.lock").read_bytes()
    shutil.rmtree(cache / "activations")
    for model in MODELS:
        repro(study, "--force", "--single-item", f"finetune@{model}")
    assert (study / "dvc.lock").read_bytes() == lock
    assert len([path for path in (cache / "activations").iterdir() if path.is_dir()]) == len(MODELS)


def test_who_pulls_the_results_has_nothing_to_run(study, tmp_path, monkeypatch):
    run(study, sys.executable, "-m", "dvc", "remote", "add", "store", str(tmp_path / "store"))
    run(study, sys.executable, "-m", "dvc", "push", "--quiet", "--remote", "store")
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    colleague = tmp_path / "vitoon"
    skip = shutil.ignore_patterns("cache", "data", "models", "reports", ".checkpoints")
    shutil.copytree(study, colleague, ignore=skip)
    shutil.copytree(study.parent / "pictures", tmp_path / "pictures")
    run(colleague, "git", "checkout", "--quiet", "--", "data", "reports")
    for file in run(study, "git", "ls-files", "--modified").split():
        shutil.copyfile(study / file, colleague / file)  # as if they were committed
    run(colleague, sys.executable, "-m", "dvc", "pull", "--quiet", "--remote", "store")
    assert stages_run(repro(colleague)) == set()
    assert run(colleague, sys.executable, "-m", "dvc", "status", "--quiet") == ""
    for file in ("reports/report.html", "models/tiny_vit/finetune/backbone.safetensors"):
        assert (colleague / file).read_bytes() == (study / file).read_bytes()


def test_of_a_network_that_is_dropped_nothing_is_left(study):
    kept, dropped = MODELS
    change(study, lambda params: params.update(models=[kept]))
    assert stages_run(repro(study)) == {"report"}
    assert [str(path) for path in (study / "reports").rglob(f"*{dropped}*")] == []
    for path in (*study.glob("reports/*.*"), *study.glob("reports/plots/*")):
        assert not re.search("tiny_vit|Tiny ViT", path.read_text(encoding="utf-8")), path
    assert dropped not in run(study, sys.executable, "-m", "dvc", "metrics", "show")
    assert "up to date" in run(study, sys.executable, "-m", "dvc", "status")
    assert lock_of_present_stages(study) == lock_of_present_stages(fresh_clone(study))
    change(study, lambda params: params.update(models=list(MODELS)))
    repro(study)


def lock_of_present_stages(clone: Path) -> dict:
    """Of dvc.lock: DVC leaves entries of stages that are no more, and reads none of them."""
    listed = run(clone, sys.executable, "-m", "dvc", "stage", "list", "--name-only").split()
    lock = load_yaml(clone / "dvc.lock")["stages"]
    return {name: lock[name] for name in listed}


def fresh_clone(study: Path) -> Path:
    """A clone with the same code, choices and DVC cache, and nothing else, after `dvc repro`."""
    clone = study.with_name("fresh")
    run(study, "git", "clone", "--quiet", str(ROOT), str(clone))
    copy_working_tree(clone)
    shutil.copytree(study / "stages", clone / "stages", dirs_exist_ok=True)
    shutil.copyfile(study / "params.yaml", clone / "params.yaml")
    (clone / "dvc.lock").unlink(missing_ok=True)
    run(clone, sys.executable, "-m", "dvc", "cache", "dir", "--local", str(study / ".dvc/cache"))
    repro(clone)
    return clone


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
