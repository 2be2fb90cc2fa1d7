"""Branches of a finished study side by side: metrics, plots, and what a pull request is told."""

import json
import re
from pathlib import Path

import pytest
import yaml

from app import pull_request_report
from app.changes.results import METRICS
from stages.errors import StudyError
from tests.tiny_study import ROOT, attempt, change, commit, dvc, repro, run, stages_run, would_run

pytestmark = pytest.mark.slow

WIDTH = 120  # columns of a terminal
CURVES = "reports/plots/accuracy.csv"
CONFUSION = "reports/plots/confusion.csv"
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/study.yml").read_text())
OF_A_PULL_REQUEST = ("Pull", "What has to be made", "Make it", "Report")


@pytest.fixture(scope="module")
def study(tiny_study):
    """Beside `main`: one network less, then another head; another look; no results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(WIDTH))
        branch(tiny_study, "less", "main")
        change(tiny_study, lambda params: params.update(models=["tiny_cnn"]))
        assert stages_run(repro(tiny_study)) == {"report", "cards"}
        commit(tiny_study, "One network")
        branch(tiny_study, "head", "less")
        change(tiny_study, lambda params: params["transfer"].update(learning_rate=0.03))
        assert "weights@tiny_cnn" not in stages_run(repro(tiny_study))
        commit(tiny_study, "Another learning rate")
        branch(tiny_study, "look", "main")
        template = tiny_study / ".dvc/plots/curves.json"
        template.write_text(template.read_text().replace("varied pictures", "pictures of training"))
        assert would_run(tiny_study) == set()
        commit(tiny_study, "Other words")
        branch(tiny_study, "bare", "main")
        (tiny_study / METRICS).unlink()
        commit(tiny_study, "No results")
        run(tiny_study, "git", "checkout", "--quiet", "main")
        yield tiny_study


def branch(study: Path, name: str, base: str) -> None:
    run(study, "git", "checkout", "--quiet", base)
    dvc(study, "checkout", "--quiet")
    run(study, "git", "checkout", "--quiet", "-b", name)


def metrics_diff(study: Path, base: str, branch: str) -> dict[str, list[str]]:
    """What a terminal shows: the words of a line after the metric's name, by it."""
    lines = dvc(study, "metrics", "diff", base, branch).splitlines()
    assert max(map(len, lines), default=0) <= WIDTH
    return {words[1]: words[2:] for words in map(str.split, lines[1:])}


def accuracies(study: Path, revision: str) -> dict[str, float]:
    found = json.loads(run(study, "git", "show", f"{revision}:{METRICS}"))
    return {f"{name}.{key}": value for name, runs in found.items() for key, value in runs.items()}


def plots(study: Path, base: str, branch: str) -> dict[str, list[dict]]:
    """The rows that `dvc plots diff` draws, by plot."""
    data = json.loads(dvc(study, "plots", "diff", base, branch, "--json"))["data"]
    return {path: plot[0]["content"]["data"]["values"] for path, plot in data.items()}


def of(rows: list[dict], revision: str) -> list[dict]:
    return [
        {key: value for key, value in row.items() if key != "rev"}
        for row in rows
        if row["rev"] == revision
    ]


def test_another_head_moves_the_figures_that_follow_from_it_and_no_other(study):
    before, after = accuracies(study, "less"), accuracies(study, "head")
    shown = metrics_diff(study, "less", "head")
    moved = {name for name in before if before[name] != after[name]}
    assert moved  # else this test would say nothing
    assert set(shown) == moved
    for name, (old, new, difference) in shown.items():
        assert (float(old), float(new)) == (before[name], after[name])
        assert float(difference) == pytest.approx(after[name] - before[name], abs=1e-4)
    drawn = plots(study, "less", "head")
    for path in ("reports/split.csv", "reports/scrape.csv"):
        assert of(drawn[path], "less") == of(drawn[path], "head")
    assert of(drawn[CURVES], "less") != of(drawn[CURVES], "head")


def test_another_network_is_rows_more_and_moves_no_other_figure(study):
    added = {name: value for name, value in accuracies(study, "main").items() if "vit" in name}
    shown = metrics_diff(study, "less", "main")
    assert shown == {name: ["-", str(value), "-"] for name, value in added.items()}
    for path in (CURVES, CONFUSION, "reports/plots/classes.csv"):
        rows = plots(study, "less", "main")[path]
        assert {row["network"] for row in of(rows, "less")} == {"Tiny CNN"}
        kept = [row for row in of(rows, "main") if row["network"] == "Tiny CNN"]
        assert kept == of(rows, "less")


def test_another_template_changes_how_a_plot_looks_and_no_figure(study):
    assert metrics_diff(study, "main", "look") == {}
    assert dvc(study, "params", "diff", "main", "look").strip() == ""
    for rows in plots(study, "main", "look").values():
        assert of(rows, "main") == of(rows, "look") != []


@pytest.fixture
def clone(study, tmp_path, monkeypatch) -> Path:
    """Where continuous integration begins: `head` checked out, and a remote with everything."""
    store = str(tmp_path / "store")
    dvc(study, "remote", "add", "--force", "--local", "store", store)
    for name in ("head", "less"):
        run(study, "git", "checkout", "--quiet", name)
        dvc(study, "push", "--quiet", "--run-cache", "--remote", "store")
    run(study, "git", "checkout", "--quiet", "main")
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    run(tmp_path, "git", "clone", "--quiet", "--branch", "head", str(study), "vitoon")
    (tmp_path / "pictures").symlink_to(study.parent / "pictures")
    clone = tmp_path / "vitoon"
    dvc(clone, "remote", "add", "--local", "--default", "store", store)
    (clone / "environment.sh").write_text("exit 0\n")  # in place of minutes of installing
    return clone


def test_the_steps_of_the_workflow_pull_make_and_report(study, clone, monkeypatch):
    monkeypatch.setenv("BASE", "origin/less")
    steps = {step.get("name"): step.get("run") for step in WORKFLOW["jobs"]["study"]["steps"]}
    printed = {name: run(clone, "bash", "-e", "-c", steps[name]) for name in OF_A_PULL_REQUEST}
    assert "::warning::" not in printed["Pull"]
    assert [stages_run(printed[name]) for name in OF_A_PULL_REQUEST[1:3]] == [set(), set()]
    assert run(clone, "git", "status", "--porcelain").split() == ["M", "environment.sh"]
    text = (clone / "pull_request/report.md").read_text(encoding="utf-8")
    check_report(study, text)
    assert pull_request_report.STALE not in text
    images = re.findall(r"!\[.+\]\((.+)\)", text)
    moved = "is predicted as before" not in text
    assert len(images) == (2 if moved else 0)
    for image in images:
        assert (clone / "pull_request" / image).read_bytes().startswith(b"\x89PNG")
    assert (clone / "pull_request/plots/index.html").is_file()
    command = ("python", "-m", "app.pull_request_report", "origin/less")
    assert text.startswith(run(clone, *command).rstrip("\n"))


def check_report(study: Path, text: str) -> None:
    """The verdict first, every run with its figures, and what DVC says."""
    before, after = accuracies(study, "less"), accuracies(study, "head")
    assert re.match(r"\*\*.+: \d\.\d{3} → \d\.\d{3} \(.+\): .+\.\*\*\n", text)
    for phase, key in (("transferred", "head"), ("fine-tuned", "tuned")):
        (accuracy,) = re.findall(rf"^\| Tiny CNN, {phase} \| 9 \| ([^|]+) \|", text, re.M)
        name = f"tiny_cnn.{key}"
        assert accuracy.startswith(f"{after[name]:.3f}")
        assert ("(" in accuracy) == (before[name] != after[name])
    assert "origin/less has 9 test pictures, this branch 9; 9 are in both." in text
    assert re.search(r"transfer.learning_rate +\| 0.001 +\| 0.03 ", text)
    assert len(re.findall(r"^\| reports/test_accuracy.json +\| tiny_cnn", text, re.M)) == len(
        [name for name in before if before[name] != after[name]]
    )


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("nowhere", "Git knows no revision nowhere here: `git fetch`"),
        ("bare", f"bare has no results: there is no {METRICS} in it"),
        ("head", "reports/cards of head is neither in DVC's cache nor to be had from a remote"),
    ],
)
def test_what_cannot_be_compared_is_one_line(study, monkeypatch, tmp_path, base, words):
    monkeypatch.chdir(study)
    if base == "head":  # its own runs are gone from the cache, and there is no remote
        monkeypatch.chdir(emptied(study, tmp_path))
    with pytest.raises(StudyError) as error:
        pull_request_report.main(base, None)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def emptied(study: Path, folder: Path) -> Path:
    """A clone with the results of `main` and none of its branches'."""
    run(folder, "git", "clone", "--quiet", str(study), "vitoon")
    clone = folder / "vitoon"
    run(clone, "git", "branch", "head", "origin/head")
    for name in ("data", "reports"):
        for path in (study / name).rglob("*"):
            if path.is_file():
                copy = clone / path.relative_to(study)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    return clone


def test_results_that_are_not_of_these_files_are_called_so(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    change(study, lambda params: params["transfer"].update(epochs=4))
    pull_request_report.main("main", None)
    run(study, "git", "checkout", "--quiet", "params.yaml")
    text = capsys.readouterr().out
    assert pull_request_report.STALE in text
    assert re.search(r"transfer.epochs +\| 3 +\| 4 ", text)


def test_words_it_does_not_know_end_with_the_usage(study):
    done = attempt(study, "python", "-m", "app.pull_request_report")
    assert done.returncode == 2
    assert "usage: python -m app.pull_request_report" in done.stderr
