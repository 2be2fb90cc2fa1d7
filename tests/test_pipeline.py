"""The whole study, as a user runs it: a tiny one, in a clone of its own."""

import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

from tests.tiny_study import (
    MODELS,
    ROOT,
    attempt,
    change,
    commit,
    copy_working_tree,
    dvc,
    every_stage,
    make,
    repro,
    run,
    stages_run,
    table,
    would_run,
)


@pytest.fixture(scope="module")
def study(tiny_study) -> Path:
    return tiny_study


def test_a_study_gives_a_leaderboard_of_its_four_runs_on_three_splits_and_all_pictures(study):
    rows = (study / "reports/leaderboard.csv").read_text().splitlines()
    assert rows[0] == (
        "model,phase,split,images,accuracy,log_loss,macro_precision,macro_recall,macro_f1"
    )
    assert len(rows) == 1 + 2 * (4 + 3)  # heads see all pictures


def test_a_second_run_finds_nothing_to_do(study):
    printed = repro(study)
    assert stages_run(printed) == set()
    assert "up to date" in printed


def test_make_repro_says_where_results_differ_though_nothing_was_changed(study):
    """Another processor is not at hand: the commit is given other bytes of the features."""
    assert "made other results" not in make(study, "repro")
    lock = (study / "dvc.lock").read_text()
    entry = re.compile(r"(path: models/tiny_cnn/features\n +hash: md5\n +md5: )\w+")
    other = entry.sub(r"\g<1>0123456789abcdef0123456789abcdef.dir", lock, count=1)
    (study / "dvc.lock").write_text(other)
    commit(study, "Results of another machine")
    (study / "dvc.lock").write_text(lock)
    *_, line = make(study, "repro").splitlines()
    assert "of the same inputs features@tiny_cnn made other results than the committed" in line
    run(study, "git", "restore", "dvc.lock", "reports", "data/croissant.json")  # as it says
    assert (study / "dvc.lock").read_text() == other
    run(study, "git", "reset", "--quiet", "--hard", "HEAD^")
    assert (study / "dvc.lock").read_text() == lock


def test_make_status_names_the_stages_that_an_edit_of_code_concerns(study):
    assert make(study, "status").strip() == "Data and pipelines are up to date."
    code = study / "stages/explain.py"
    before = code.read_text()
    code.write_text(before.replace("BATCH = 8", "BATCH = 4"))
    said = make(study, "status")
    code.write_text(before)
    assert set(re.findall(r"^([a-z_]+)@?\S*:$", said, re.M)) == {"explain"}
    make(study, "status")  # takes the fingerprints back


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
    before = (
        "checks",
        "evaluate@tiny_vit-transfer",
        "evaluate@tiny_vit-finetune",
        "explain@tiny_vit",
        "export@tiny_vit",
    )
    ran = stages_run(repro(study, "--force", *before))  # tiny_cnn is trained again further below
    last = {"report", "cards"}
    assert ran == {name for name in every_stage() if "tiny_cnn" not in name} - last
    repro(study, "--force", "--single-item", *last)
    assert (study / "dvc.lock").read_bytes() == lock


@pytest.mark.slow
def test_fine_tuning_makes_missing_activations_again_to_the_same_bytes(study):
    lock = (study / "dvc.lock").read_bytes()
    cache = study.parent / "cache/activations"
    shutil.rmtree(cache)
    for model in MODELS:
        repro(study, "--force", "--single-item", f"finetune@{model}")
    assert (study / "dvc.lock").read_bytes() == lock
    assert len([path for path in cache.iterdir() if path.is_dir()]) == len(MODELS)


@pytest.mark.slow
def test_of_a_network_that_is_dropped_nothing_is_left(study):
    kept, dropped = MODELS
    change(study, lambda params: params.update(models=[kept]))
    assert stages_run(repro(study)) == {"report", "cards"}
    assert [str(path) for path in (study / "reports").rglob(f"*{dropped}*")] == []
    written = ("reports/*.*", "reports/plots/*", "reports/model_cards/*")
    for path in chain.from_iterable(map(study.glob, written)):
        assert not re.search("tiny_vit|Tiny ViT", path.read_text(encoding="utf-8")), path
    assert dropped not in dvc(study, "metrics", "show")
    assert "up to date" in dvc(study, "status")
    assert lock_of_present_stages(study) == lock_of_present_stages(fresh_clone(study))
    change(study, lambda params: params.update(models=list(MODELS)))
    repro(study)


def lock_of_present_stages(clone: Path) -> dict:
    """Of dvc.lock: DVC leaves entries of stages that are no more, and reads none of them."""
    listed = dvc(clone, "stage", "list", "--name-only").split()
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
    dvc(clone, "cache", "dir", "--local", str(study / ".dvc/cache"))
    repro(clone)
    return clone


def test_a_repeat_with_the_studys_own_seed_gives_the_studys_own_scores(study):
    run(study, sys.executable, "-m", "stages.repeat", "tiny_cnn", "0")
    board = [
        row
        for row in table(study / "reports/leaderboard.csv")
        if row["model"] == "tiny_cnn" and row["split"] != "all"
    ]
    repeated = table(study / "reports/repeats/tiny_cnn-0.csv")
    for own, again in zip(board, repeated, strict=True):
        assert [again[name] for name in ("phase", "split", "images")] == [
            own[name] for name in ("phase", "split", "images")
        ]
        for name in ("accuracy", "macro_f1"):
            assert float(again[name]) == pytest.approx(float(own[name]), abs=6e-5)
    assert not list(study.glob("models/*/repeat-*"))


def test_every_picture_is_a_test_picture_once(study):
    fold = {row["file"]: row["fold"] for row in table(study / "data/split.csv")}
    for model in MODELS:
        own = table(study / f"reports/predictions/{model}-transfer.csv")
        tested = [row for row in own if row["split"] == "test"]
        tested += table(study / f"reports/folds/{model}-transfer.csv")
        assert {row["split"] for row in tested} == {"test"}
        assert {row["file"]: row["fold"] for row in tested} == fold
        assert len(tested) == len(fold)


def test_a_fold_is_fine_tuned_too_if_asked_and_no_fold_that_is_not_there(study):
    run(study, sys.executable, "-m", "stages.finetune_fold", "tiny_cnn", "1")
    made = study / "reports/folds/tiny_cnn-finetune-1.csv"
    listed = [row["file"] for row in table(study / "data/split.csv") if row["fold"] == "1"]
    assert [row["file"] for row in table(made)] == listed
    made.unlink()
    assert not list((study / ".checkpoints").glob("*.safetensors"))
    done = attempt(study, sys.executable, "-m", "stages.finetune_fold", "tiny_cnn", "9")
    assert done.returncode == 2
    assert "evaluate.folds has 9; allowed here: 1 to 6, the folds of data" in done.stderr


def test_of_more_folds_only_the_new_ones_run(study):
    change(study, lambda params: params["evaluate"].update(folds=[1]))
    assert would_run(study) == {f"finetune_fold@{model}-1" for model in MODELS} | {"report"}
    change(study, lambda params: params["evaluate"].update(folds=[]))


def test_of_more_repeats_only_the_new_ones_run(study):
    change(study, lambda params: params["evaluate"].update(repeats=[1]))
    assert would_run(study) == {"repeat@tiny_cnn-1", "repeat@tiny_vit-1", "report"}
    for model in MODELS:  # as if they had run
        made = study / f"reports/repeats/{model}-1.csv"
        shutil.copyfile(study / "reports/repeats/tiny_cnn-0.csv", made)
    dvc(study, "commit", "--force", "repeat")
    change(study, lambda params: params["evaluate"].update(repeats=[1, 2]))
    assert would_run(study) == {"repeat@tiny_cnn-2", "repeat@tiny_vit-2", "report"}
    change(study, lambda params: params["finetune"].update(epochs=3))
    assert would_run(study) >= {f"repeat@{model}-{seed}" for model in MODELS for seed in (1, 2)}
