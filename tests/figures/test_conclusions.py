"""What the report concludes, of which pictures, and how sure it is."""

import re

import numpy as np
import pytest

from stages import figures, report
from stages.figures.conclusions import conclusions
from stages.figures.report_data import read_study
from stages.statistics.scores import summary
from stages.tables import read_table, write_table
from tests.made_study import CLASSES, MODELS, make_study


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def answer(file, share, split=None, seed=0):
    """Make a table of predictions right on this share of its pictures, or of those of a split."""
    rows, rng = read_table(file), np.random.default_rng(seed)
    of = [row for row in rows if split in (None, row["split"])]
    for row, right in zip(of, rng.permutation(len(of)) < round(share * len(of)), strict=True):
        wrong = next(name for name in CLASSES if name != row["actual"])
        row["predicted"] = row["actual"] if right else wrong
    write_table(file, list(rows[0]), rows)


def study(folds=(), **shares):
    """A study of 180 pictures, 60 of which are of the test split; shares by run and place."""
    make_study(each=60, folds=folds)
    for name, (validation, test, others) in shares.items():
        answer(f"reports/predictions/{name}.csv", validation, "validation")
        answer(f"reports/predictions/{name}.csv", test, "test")
        model, phase = name.split("-")
        parts = [""] if phase == "transfer" else [f"-{fold}" for fold in folds]
        for part in parts:
            answer(f"reports/folds/{model}-{phase}{part}.csv", others)
    return read_study(MODELS, 0, tuned_folds=folds)


CLEAR = {
    "tiny_cnn-transfer": (0.8, 0.8, 0.9),
    "tiny_cnn-finetune": (0.9, 0.9, 0.9),
    "tiny_vit-transfer": (0.5, 0.5, 0.5),
    "tiny_vit-finetune": (0.6, 0.95, 0.95),
}


def test_networks_are_told_apart_by_their_heads_on_all_pictures():
    networks, tuning, best, cost = conclusions(study(**CLEAR))
    assert networks.startswith(
        "With a new head alone, Tiny Cnn is right on 86.7 % of all 180 pictures (each predicted by "
        "a network that saw none like it), and Tiny Vit on 50.0 %: Tiny Cnn is significantly "
        "better, by 36.7 percentage points (95 % CI "
    )
    assert tuning.startswith("On 60 test pictures, fine-tuning changes the accuracy of Tiny Cnn by")
    assert best.startswith(
        "Of all runs, “Tiny Cnn, fine-tuned” is best on the validation pictures. It is right on "
        "90.0 % of 60 test pictures (95 % CI "
    )
    assert best.endswith(", but not significantly more often than Tiny Vit, fine-tuned.")
    assert cost == "Tiny Cnn, fine-tuned is also the smallest of these runs: 0.0 MB of weights."


def test_a_difference_that_chance_explains_is_said_to_be_none():
    networks, *_ = conclusions(study(**CLEAR | {"tiny_vit-transfer": (0.7, 0.8, 0.9)}))
    assert re.search(
        r", and Tiny Vit on 86\.7 %: no significant difference, 0\.0 percentage points "
        r"\(95 % CI −\d+\.\d to \d+\.\d, corrected p = 1\.00\)\.$",
        networks,
    )


def test_fine_tuning_is_told_of_the_folds_that_were_tuned_too():
    _, tuning, best, _ = conclusions(study(folds=(2,), **CLEAR))
    assert tuning.startswith("On 120 pictures, fine-tuning changes the accuracy of Tiny Cnn by")
    assert "is right on 90.0 % of 120 pictures (each predicted by a network that saw none" in best


def test_the_best_is_chosen_by_validation_whatever_the_test_pictures_say():
    found = study(**CLEAR)
    assert found.best.name == "Tiny Cnn, fine-tuned"
    assert max(found.runs, key=lambda run: run.correct.mean()).name == "Tiny Vit, fine-tuned"
    assert [row["run"].name for row in report.standings(found)] == [
        *("Tiny Cnn, fine-tuned", "Tiny Cnn, transferred", "Tiny Vit, fine-tuned"),
        "Tiny Vit, transferred",
    ]


def test_of_runs_that_are_equally_often_right_the_one_with_the_lower_validation_loss_is_best():
    found = study(**CLEAR | {"tiny_vit-finetune": (0.9, 0.95, 0.95)})
    losses = {run.name: summary(run.predictions.of("validation"))["log_loss"] for run in found.runs}
    tied = ("Tiny Cnn, fine-tuned", "Tiny Vit, fine-tuned")
    assert found.best.name == min(tied, key=losses.get) == "Tiny Vit, fine-tuned"


def test_a_run_that_is_significantly_better_than_the_one_chosen_is_named():
    shares = {"tiny_cnn-finetune": (0.95, 0.3, 0.3), "tiny_cnn-transfer": (0.8, 0.3, 0.3)}
    best = conclusions(study(**CLEAR | shares))[2]
    assert best.endswith(
        ", but significantly less often than Tiny Vit, fine-tuned and Tiny Vit, transferred, and "
        "not significantly more often than Tiny Cnn, transferred."
    )


def test_the_board_has_all_pictures_beside_the_test_pictures_where_there_are_some():
    found = study(**CLEAR)
    rows = {row["run"].name: row for row in report.standings(found)}
    assert rows["Tiny Cnn, transferred"]["everywhere"]["accuracy"][0] == pytest.approx(156 / 180)
    assert rows["Tiny Cnn, transferred"]["test"]["accuracy"][0] == pytest.approx(48 / 60)
    assert rows["Tiny Cnn, fine-tuned"]["everywhere"] is None
    everywhere, test = (
        np.ptp(rows["Tiny Cnn, transferred"][place]["accuracy"][1:])
        for place in ("everywhere", "test")
    )
    assert everywhere < 0.65 * test  # by the root of a third, and fewer mistakes


def test_comparisons_say_on_how_many_pictures_they_are():
    found = study(folds=(2,), **CLEAR)
    figure = figures.figure("comparisons", found)
    pictures = {frozenset(row[:2]): row[2] for row in figure.rows}
    assert pictures[frozenset({"Tiny Cnn, transferred", "Tiny Vit, transferred"})] == "180"
    assert pictures[frozenset({"Tiny Cnn, fine-tuned", "Tiny Vit, fine-tuned"})] == "120"
    assert "transferred heads on all" in figure.caption


def test_one_network_alone_is_compared_with_itself():
    make_study(MODELS[:1])
    told = conclusions(read_study(MODELS[:1], 0))
    assert len(told) == 3
    assert told[0].startswith("On 12 test pictures, fine-tuning changes the accuracy of Tiny Cnn")


def test_many_networks_are_told_in_a_sentence():
    models = [*MODELS, "tiny_mix"]
    make_study(models)
    (first, *_) = conclusions(read_study(models, 0))
    assert re.match(
        r"With a new head alone, Tiny \w+ is best on the validation pictures\. It is right on "
        r"[\d.]+ % of all 36 pictures \(each .*\) \(95 % CI ",
        first,
    )
