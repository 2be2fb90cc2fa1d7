"""app/sweep.py: seeds of the same settings together, from experiments that DVC itself has run."""

import csv
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from app import sweep
from app.sweep import Group, Result
from stages.errors import StudyError
from tests.tiny_study import ROOT, attempt, commit, run

SWEEP = (sys.executable, "-m", "app.sweep")
RATES = (1e-3, 1e-2)
# In place of a study, which takes half a minute: figures that are known beforehand.
PROGRAM = """
import json, yaml
params = yaml.safe_load(open("params.yaml"))
seed, rate = params["seed"], params["transfer"]["learning_rate"]
head = 0.5 + seed / 10 + 10 * rate
with open("reports/test_accuracy.json", "w") as file:
    json.dump({name: {"head": head, "tuned": 0.9} for name in params["models"]}, file)
if rate > 1:
    raise SystemExit("far too fast")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with seed 0 committed, and an experiment for each of some seeds and rates."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("app", "stages"):
        (folder / name).symlink_to(ROOT / name)
    stage = {
        "cmd": "python program.py",
        "params": ["seed", "models", "transfer"],
        "metrics": [{"reports/test_accuracy.json": {"cache": False}}],
    }
    params = {"seed": 0, "models": ["tiny_cnn"], "transfer": {"learning_rate": RATES[0]}}
    (folder / "program.py").write_text(PROGRAM)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"report": stage}}))
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "reports").mkdir()
    run(folder, "git", "init", "--quiet", "--initial-branch=main", ".")
    dvc(folder, "init", "--quiet")
    dvc(folder, "repro", "--quiet")
    commit(folder, "Seed 0")
    dvc(folder, "exp", "run", "-S", "seed=1")
    dvc(folder, "exp", "run", "-S", "seed=2", "-S", f"transfer.learning_rate={RATES[1]}")
    both = "models=[tiny_cnn,tiny_vit]"
    dvc(
        folder, "exp", "run", "-S", "seed=4", "-S", f"transfer.learning_rate={RATES[1]}", "-S", both
    )
    dvc(folder, "exp", "run", "--queue", "-S", "transfer.learning_rate=2")
    return folder


def dvc(folder: Path, *words: str) -> None:
    run(folder, sys.executable, "-m", "dvc", *words)


def test_seeds_of_the_same_settings_are_one_row_with_mean_and_deviation(project):
    done = attempt(project, *SWEEP, "--csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(row["transfer.learning_rate"], row["network"], row["seeds"]) for row in rows] == [
        ("0.001", "tiny_cnn", "2"),  # the commit's own seed is one of them
        ("0.01", "tiny_cnn", "2"),
        ("0.01", "tiny_vit", "1"),  # other networks beside it change nothing for tiny_cnn
    ]
    assert [(float(row["head"]), row["head_deviation"]) for row in rows] == [
        (pytest.approx(0.56), "0.070711"),  # of 0.51 and 0.61
        (pytest.approx(0.9), "0.141421"),  # of 0.8 and 1.0
        (pytest.approx(1.0), ""),
    ]
    assert rows[0]["experiments"].split()[0] == "main"


def test_what_is_not_done_is_left_out_and_counted(project):
    """It would have the figures of the commit that it starts from, at a rate of 2."""
    done = attempt(project, *SWEEP)
    assert done.stderr == "experiments not done, or failed: 1, see `dvc queue status`\n"
    rates = [line.split()[0] for line in done.stdout.splitlines()]
    assert rates == ["transfer.", "learning_rate", "0.001", "0.01", "0.01"]


def test_one_seed_has_no_spread(project):
    rows = attempt(project, *SWEEP, "--md").stdout.splitlines()
    assert re.fullmatch(
        r"\| 0\.001 +\| tiny_cnn +\| 2 +\| 0\.560 ± 0\.071 +\| 0\.900 ± 0\.000 +\|", rows[2]
    )
    assert re.fullmatch(r"\| 0\.01 +\| tiny_vit +\| 1 +\| 1\.000 +\| 0\.900 +\|", rows[4])


def test_two_answers_of_one_seed_are_an_error_that_names_both():
    first = result(seed=1)
    other = Result("other", first.network, 1, first.settings, {"head": 0.5, "tuned": 0.5})
    with pytest.raises(StudyError, match="some and other have the same seed and settings"):
        sweep.groups([first, other])
    assert [len(group.results) for group in sweep.groups([first, first])] == [1]


def test_outside_a_clone_one_line_says_so(tmp_path):
    (tmp_path / "app").symlink_to(ROOT / "app")
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    done = attempt(tmp_path, *SWEEP)
    assert done.returncode == 1
    assert done.stderr.startswith("app.sweep: `dvc exp show` fails (")
    assert done.stderr.count("\n") == 1


def test_three_settings_and_the_default_networks_fit_a_terminal():
    names = ("transfer.learning_rate", "finetune.layer_decay", "scrape.download.read_timeout")
    found = [
        result(seed, network, dict.fromkeys(names, value))
        for seed in (1, 2)
        for value in (0.0003, 0.85)
        for network in ("dinov2_s14", "efficientnet_lite0")
    ]
    *_, last = lines = sweep.as_text(sweep.groups(found)).splitlines()
    assert last.split()[:5] == ["0.85", "0.85", "0.85", "efficientnet_lite0", "2"]
    assert max(map(len, lines)) <= 120


def result(seed: int, network: str = "tiny_cnn", settings: dict | None = None) -> Result:
    return Result("some", network, seed, settings or {}, {"head": 0.7, "tuned": 0.8})


def test_settings_are_sorted_as_numbers_and_words_come_last():
    found = [result(1, settings={"finetune.blocks": value}) for value in ("auto", 10, 2, (1, 2))]
    order = [group.setting("finetune.blocks") for group in sweep.groups(found)]
    assert order == [2, 10, (1, 2), "auto"]


def test_columns_are_the_settings_that_differ():
    every = sweep.groups([result(1, settings={"a": 1, "b": n}) for n in (1, 2)])
    assert sweep.differing(every) == ["b"]
    assert sweep.differing([Group([result(1)])]) == []


def test_the_figures_are_those_that_the_report_writes(project):
    """The file, and the names of the two phases."""
    made = json.loads((project / sweep.METRICS).read_text())
    assert sweep.METRICS in (ROOT / "dvc.yaml").read_text()
    committed = json.loads((ROOT / sweep.METRICS).read_text())
    assert all(tuple(phases) == sweep.PHASES for phases in [*made.values(), *committed.values()])
