"""What differs between two revisions of a made-up study, picture by picture."""

import hashlib
import itertools
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from app import pull_request_report
from app.changes import plots
from app.changes.paired import changes, pairs, shared, verdict
from app.changes.results import RAW, RGB, Results, results_in
from stages.statistics.comparisons import holm
from stages.statistics.intervals import difference
from stages.tables import read_table, write_table
from tests.made_study import CLASSES, MODELS, make_study


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("main")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study(each=30)
        tell_apart()
        for run in ("tiny_cnn-transfer", "tiny_cnn-finetune", "tiny_vit-transfer"):
            answer(run, range(15))
        answer("tiny_vit-finetune", range(20))
        for run in ("tiny_cnn-transfer", "tiny_cnn-finetune", "tiny_vit-transfer"):
            answer(run, range(7), "validation")
        answer("tiny_vit-finetune", range(10), "validation")
    return folder


def tell_apart() -> None:
    """Every picture has an original of its own."""
    rows = read_table(RAW)
    for row in rows:
        row["sha256"] = hashlib.sha256(row["file"].encode()).hexdigest()
    write_table(RAW, list(rows[0]), rows)


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    """A branch that has changed nothing yet, made the working directory."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(folder: Path, models=MODELS) -> Results:
    name = "main" if folder.name.startswith("main") else "workspace"
    return results_in(folder, name, models, seed=0)


def edit(file: str, change) -> None:
    rows = read_table(file)
    columns = list(rows[0])
    for place, row in enumerate(rows):
        change(place, row)
    write_table(file, columns, rows)


def answer(run: str, right: range, split: str = "test") -> None:
    """Make a run right on these of a split's pictures (thirty of test), and wrong on the others."""
    number = itertools.count()

    def change(_, row):
        if row["split"] == split:
            wrong = next(name for name in CLASSES if name != row["actual"])
            row["predicted"] = row["actual"] if next(number) in right else wrong

    edit(f"reports/predictions/{run}.csv", change)


def test_a_branch_that_changes_nothing_is_said_to_predict_as_before(made, here):
    found = changes(results(made), results(here))
    assert {c.name for c in found} == {run.name for run in results(made).runs}
    assert {(c.difference, c.low + c.high, c.p, c.otherwise) for c in found} == {(0, 0, 1, 0)}
    assert found[0].high > 0  # that both were right on these pictures proves little of others
    assert found[0].name == results(made).study.best.name
    said = verdict(found, results(made))
    assert said.endswith(": every one of the 30 shared test pictures is predicted as before.")
    assert list(plots.draw(found, "main", here)) == []


def test_each_run_is_tested_against_itself_with_holm_for_all_of_them(made, here):
    answer("tiny_cnn-transfer", range(28))
    answer("tiny_vit-finetune", range(3, 21))
    base, branch = results(made), results(here)
    found = {c.name: c for c in changes(base, branch)}
    tests = []
    for name, change in found.items():
        if "→" not in name:
            (before,), (after,) = ([r for r in x.runs if r.name == name] for x in (base, branch))
            lost = np.sum(before.correct & ~after.correct)
            won = np.sum(~before.correct & after.correct)
            assert change.only == (lost, won)
            assert change.difference == pytest.approx((won - lost) / 30)
        right = (run.correct.astype(float) for run in (change.after, change.before))
        tests.append(difference(*right, change.after.test.groups))
        assert (change.low, change.high) == tests[-1].interval
    assert [change.p for change in found.values()] == holm([test.p for test in tests])
    assert found["Tiny Cnn, transferred"].significant
    assert not found["Tiny Vit, fine-tuned"].significant


def test_the_verdict_is_no_surer_than_the_tests(made, here):
    answer("tiny_cnn-transfer", range(28))
    answer("tiny_cnn-transfer", range(10), "validation")
    answer("tiny_vit-finetune", range(9), "validation")
    said = verdict(changes(results(made), results(here)), results(made))
    start, _, conclusion = said.partition("): ")
    assert start.startswith(
        "The best of each, Tiny Vit, fine-tuned → Tiny Cnn, transferred: 0.667 → 0.933 "
        "(+26.7 percentage points, 95 % CI +"
    )
    assert conclusion == (
        "no difference that these 30 test pictures can show; "
        "significantly better: Tiny Cnn, transferred."
    )


def test_what_chance_does_not_explain_is_called_significant(made, here):
    answer("tiny_vit-finetune", range(0))
    answer("tiny_cnn-transfer", range(30))
    said = verdict(changes(results(made), results(here)), results(made))
    assert said.startswith("Tiny Vit, fine-tuned: 0.667 → 0.000 (−66.7 percentage points, 95 % CI")
    assert said.endswith(
        ": significantly worse on the 30 shared test pictures; "
        "significantly better: Tiny Cnn, transferred."
    )


def test_near_duplicates_that_change_together_widen_the_interval(made, here):
    answer("tiny_vit-finetune", range(4, 30))
    (pairwise,) = ours(made, here, "Tiny Vit, fine-tuned")
    for file in Path("reports/predictions").iterdir():
        edit(file, lambda _, row: row.update(group=row["file"]))
    (alone,) = ours(made, here, "Tiny Vit, fine-tuned")
    assert pairwise.p > alone.p
    assert pairwise.high - pairwise.low > 1.1 * (alone.high - alone.low)


def ours(made, here, name):
    return [c for c in changes(results(made), results(here)) if c.name == name]


def test_pictures_are_known_by_their_originals_whatever_they_are_called(made, here):
    def other_name(_, row):
        row["file"] = row["file"].replace(".png", "-2.png")

    edit(RGB, lambda place, row: row["file"] and other_name(place, row))
    for file in Path("reports/predictions").iterdir():
        edit(file, other_name)
    assert len(shared(results(made), results(here))[1]) == 30


def test_only_what_both_test_is_compared(made, here):
    moved = {f"{CLASSES[0]}/{number}.png" for number in (4, 5)}
    for file in Path("reports/predictions").iterdir():
        edit(file, lambda _, row: row.update(split="train") if row["file"] in moved else None)
    there, both = shared(results(made), results(here))
    assert len(both) == 28
    base, branch = results(made), results(here)
    assert base.study.test.files[there].tolist() == branch.study.test.files[both].tolist()
    assert pull_request_report.pictures(base, branch) == (
        "main has 30 test pictures, this branch 28; 28 are in both."
    )
    assert {c.pictures for c in changes(base, branch)} == {28}


def test_a_picture_that_has_another_class_now_is_another_question(made, here):
    edit(RGB, lambda place, row: row.update({"class": CLASSES[1]}) if place == 4 else None)
    assert len(shared(results(made), results(here))[1]) == 29


def test_where_no_test_picture_is_shared_one_sentence_says_so(made, here):
    edit(RAW, lambda place, row: row.update(sha256=f"{place}"))
    base, branch = results(made), results(here)
    assert changes(base, branch) == []
    assert verdict([], base) == "No comparison: no test picture of main is a test picture here."
    text = "\n".join(pull_request_report.leaderboard(base, branch))
    assert text.count("| Tiny") == len(branch.runs)


def test_a_new_class_is_named_and_what_is_shared_is_compared(made, here):
    make_study(classes=(*CLASSES, "Zebra"), each=30)
    tell_apart()
    base, branch = results(made), results(here)
    found = changes(base, branch)
    assert {c.pictures for c in found} == {30}
    said = pull_request_report.pictures(base, branch)
    assert said == (
        "main has 30 test pictures, this branch 40; 30 are in both. "
        "New classes, of which main knows nothing: Zebra."
    )
    lines = list(plots.draw(found, "main", here / "as images"))
    assert len(lines) == 3
    for line in lines[1:]:
        assert (here / unquote(line.partition("(")[2].rstrip(")"))).is_file()


def test_a_new_network_is_new_in_the_leaderboard_and_no_change(made, here):
    base, branch = results(made, models=["tiny_cnn"]), results(here)
    rows = list(pull_request_report.leaderboard(base, branch))
    assert ["(new)" in row for row in rows[2:]] == [False, False, True, True]
    assert not any(sign in row for row in rows[2:] for sign in ("(+", "(−"))
    same = [pair for pair in pairs(base, branch) if pair[0].name == pair[1].name]
    assert {run.model for _, run in same} == {"tiny_cnn"}


def test_intervals_are_drawn_around_the_axis_of_no_difference(made, here):
    answer("tiny_cnn-transfer", range(28))
    answer("tiny_cnn-transfer", range(10), "validation")
    answer("tiny_vit-finetune", range(9), "validation")
    answer("tiny_cnn-finetune", range(12))
    answer("tiny_vit-finetune", range(6, 26))
    head, *rows = pull_request_report.drawing(changes(results(made), results(here)), "main")
    names = len("Tiny Vit, fine-tuned → Tiny Cnn, transferred  ")
    drawn = {row[:names].strip(): row[names:] for row in rows}
    assert len(head) == names + pull_request_report.BAR
    assert drawn["Tiny Vit, transferred"] == " " * 18 + "├─○─┤"
    assert re.fullmatch(r" {20}│ *├─+●─+┤", drawn["Tiny Cnn, transferred"])
    assert re.fullmatch(r" *├─+○─+┼─+┤", drawn["Tiny Cnn, fine-tuned"])
    assert re.fullmatch(r" *├─+○─+┤", drawn["Tiny Vit, fine-tuned"])
