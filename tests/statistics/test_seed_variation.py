"""What repeats say: paired differences, and intervals no narrower than they may be."""

import numpy as np
import pytest
from scipy import stats

from stages.errors import StudyError
from stages.statistics.runs import read_runs
from stages.statistics.scores import summary
from stages.statistics.seed_variation import (
    Difference,
    Repeats,
    differences,
    interval,
    points,
    read_repeats,
    standard_deviation,
)
from tests.made_study import MODELS, make_repeat, make_study


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study()
    return read_runs(MODELS)


def test_the_interval_is_the_one_computed_by_hand():
    # Mean 4, standard deviation 2, t of 2 degrees of freedom 4.3027; sqrt(1/3 + 1/6) = 0.70711.
    assert interval(np.array([2.0, 4, 6]), 1 / 6) == pytest.approx((-2.0849, 10.0849), abs=1e-4)


def test_without_shared_pictures_it_is_the_plain_t_interval():
    values = np.array([0.01, 0.05, -0.02, 0.03, 0.04])
    plain = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert interval(values, 0) == pytest.approx(plain)
    low, high = interval(values, 0.2)
    assert low < plain[0] < plain[1] < high


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.2], [0.1, 0.1, 0.1]])
def test_there_is_no_interval_of_few_or_of_equal_values(values):
    assert interval(np.array(values), 0.2) is None


def test_it_holds_what_it_promises_for_repeats_that_share_pictures():
    # 1,000 made-up studies: seeds correlate by test / (test + train), as Nadeau and Bengio suppose.
    rng = np.random.default_rng(0)
    share = 0.15 / 0.7
    common = share / (1 + share)
    held = 0
    for _ in range(1000):
        values = np.sqrt(common) * rng.normal() + np.sqrt(1 - common) * rng.normal(size=5)
        low, high = interval(values, share)
        held += low <= 0 <= high
    assert held / 1000 == pytest.approx(0.95, abs=0.02)


def test_the_deviation_is_that_of_a_sample():
    assert standard_deviation(np.array([2.0, 4, 6])) == 2


def test_differences_are_paired_by_seed(runs):
    scores = np.array([[0.5, 0.6], [0.7, 0.9], [0.4, 0.5], [0.4, 0.3]])
    made = differences(runs, Repeats((0, 1), {"accuracy": scores}, 0.2), "accuracy")
    told = [
        (d.first.model, d.first.phase, d.second.model, d.second.phase, *np.round(d.values, 6))
        for d in made
    ]
    assert told == [
        ("tiny_cnn", "finetune", "tiny_cnn", "transfer", 0.2, 0.3),
        ("tiny_vit", "finetune", "tiny_vit", "transfer", 0.0, -0.2),
        ("tiny_vit", "transfer", "tiny_cnn", "transfer", -0.1, -0.1),
        ("tiny_vit", "finetune", "tiny_cnn", "finetune", -0.3, -0.6),
    ]


def test_the_study_itself_is_the_first_repeat(runs):
    for model in MODELS:
        make_repeat(model, 7, test=(0.5, 0.625))
        make_repeat(model, 3, test=(0.25, 0.75))
    repeats = read_repeats(runs, 0, [7, 3])
    own = [np.mean(run.correct) for run in runs]
    assert repeats.seeds == (0, 7, 3)
    assert repeats.scores["accuracy"].tolist() == [
        [own[0], 0.5, 0.25], [own[1], 0.625, 0.75], [own[2], 0.5, 0.25], [own[3], 0.625, 0.75],
    ]  # fmt: skip
    assert repeats.share == pytest.approx((12 / 18 + 2 * 12 / 48) / 3)


def test_without_repeats_there_is_nothing_to_tell(runs):
    assert read_repeats(runs, 0, []) is None


def test_a_missing_repeat_is_named(runs):
    make_repeat("tiny_cnn", 1)
    with pytest.raises(StudyError, match=r"repeats/tiny_vit-1\.csv is missing: `dvc repro`"):
        read_repeats(runs, 0, [1])


def told(runs, values, interval):
    return Difference(runs[1], runs[0], "accuracy", np.array(values), interval).sentence


def test_a_difference_is_told_with_its_mean_and_its_ends(runs):
    assert told(runs, [0.04, -0.01], None) == (
        "Tiny Cnn, fine-tuned against Tiny Cnn, transferred: +1.5 percentage points of accuracy "
        "on average, −1.0 to +4.0 by seed; 2 seeds are too few for an interval."
    )


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((-0.01, 0.03), "95 % CI −1.0 to +3.0, not significant"),
        ((0.0, 0.03), "95 % CI +0.0 to +3.0, not significant"),
        ((-0.03, 0.0), "95 % CI −3.0 to +0.0, not significant"),
        ((0.01, 0.03), "95 % CI +1.0 to +3.0, significant"),
        ((-0.03, -0.01), "95 % CI −3.0 to −1.0, significant"),
        (None, "all seeds agree, so that there is no interval"),
    ],
)
def test_only_an_interval_without_zero_says_which_is_better(runs, interval, verdict):
    assert told(runs, [0.01, 0.01, 0.01], interval).endswith(f" by seed; {verdict}.")


@pytest.mark.parametrize(
    ("share", "sign", "words"),
    [
        (0.0123, "", "1.2"),
        (0.0123, "+", "+1.2"),
        (-0.0123, "", "−1.2"),
        (-0.0004, "+", "+0.0"),  # no minus zero
        (-0.0004, "", "0.0"),
        (1, "", "100.0"),
    ],
)
def test_shares_are_written_as_points(share, sign, words):
    assert points(share, sign) == words


def test_a_difference_between_runs_has_the_interval_of_its_values(runs):
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=(4, 5))
    for made in differences(runs, Repeats(range(5), {"macro_f1": scores}, 0.2), "macro_f1"):
        assert made.score == "macro_f1"
        assert made.interval == interval(made.values, 0.2)


def test_the_second_score_of_repeats_is_macro_f1(runs):
    for model in MODELS:
        make_repeat(model, 1, test=(0.5, 0.625))
    repeats = read_repeats(runs, 0, [1])
    own = [summary(run.test)["macro_f1"] for run in runs]
    assert repeats.scores["macro_f1"][:, 0].tolist() == own
    assert repeats.scores["macro_f1"][:, 1].tolist() == [0.46875, 0.59375] * 2
