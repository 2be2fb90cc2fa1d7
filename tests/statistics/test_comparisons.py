"""Runs against each other: which pictures, which correction, which words."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from stages.statistics.comparisons import Comparison, compare, holm, in_words, paired
from stages.statistics.intervals import difference
from stages.statistics.runs import Run
from tests.statistics.test_scores import predictions

CLASSES = ("Cat", "Dog")


def run(name, right, folds=None):
    """A run on cats that is right where told so; pictures of other folds than 0 are of others."""
    right = np.asarray(right, bool)
    said = predictions(np.zeros(len(right), int), np.where(right, 0, 1), CLASSES)
    if folds is None:
        return Run(name, "transfer", {"title": name}, said, {})
    said = replace(said, folds=folds)
    others = [said.where(folds == fold) for fold in range(1, folds.max() + 1)]
    return Run(name, "transfer", {"title": name}, said.where(folds == 0), {}, others)


def test_holm_is_that_of_statsmodels():
    p_values = np.random.default_rng(0).uniform(size=12) ** 3
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_a_clear_difference_is_told_in_words_and_an_unclear_one_with_what_it_takes():
    right = np.ones(100, bool)
    bad, same = right.copy(), right.copy()
    bad[:20] = False
    same[:2] = False
    clear, fair, unclear = compare([run("Bad", bad), run("Good", right), run("Same", same)])
    assert (clear.first.network, clear.second.network) == ("Good", "Bad")
    assert (clear.only_first, clear.only_second) == (20, 0)
    assert clear.sentence == (
        "Good, transferred is significantly better than Bad, transferred on 100 test pictures: "
        "20.0 percentage points, 95 % CI 11.5 to 27.7, p < 0.001."
    )
    assert fair.significant
    assert unclear.sentence == (
        "Good, transferred and Same, transferred do not differ significantly on 100 test pictures: "
        "2.0 percentage points, 95 % CI −1.4 to 5.3, p = 0.25. To detect a true difference of this "
        "size takes about 390 pictures."
    )


def test_p_is_corrected_for_all_pairs_and_intervals_are_turned_with_them():
    rng = np.random.default_rng(0)
    right = [rng.random(300) < share for share in (0.9, 0.8, 0.85, 0.6)]
    runs = [run(f"{number}", column) for number, column in enumerate(right)]
    made = compare(runs)
    tests = [difference(*paired(c.first, c.second)) for c in made]
    theirs = multipletests([test.p for test in tests], method="holm")[1]
    assert [c.p for c in made] == pytest.approx(theirs.tolist())
    for c, test in zip(made, tests, strict=True):
        assert (c.low, c.high) == pytest.approx(test.interval)
        assert 0 <= c.difference < c.high
        assert c.low < c.difference


def test_two_heads_are_compared_on_all_pictures_and_tuned_networks_on_the_folds_of_both():
    right = np.arange(90) % 4 > 0
    folds = np.arange(90) // 30
    head, other = (run(name, right, folds) for name in ("A", "B"))
    tuned, tuned_more = run("A", right[:30]), run("B", right[:60], folds[:60])
    made = compare([head, tuned, other, tuned_more])
    assert [(c.pictures, c.folds) for c in made] == [
        *((30, 1), (90, 3), (60, 2)),  # the head against tuned, other, tuned_more
        *((30, 1), (30, 1)),  # tuned against other, tuned_more
        (60, 2),
    ]
    assert [c.on for c in made[:3]] == ["30 test pictures", "90 pictures", "60 pictures"]


def test_a_run_is_compared_by_file_whatever_the_order_of_its_folds():
    right = np.arange(90) % 4 > 0
    folds = np.arange(90) // 30
    one = run("A", right, folds)
    other = replace(run("B", right, folds), other_folds=one.other_folds[::-1])
    (made,) = compare([one, other])
    assert (made.only_first, made.only_second, made.pictures) == (0, 0, 90)


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.0001, "p < 0.001"),
        (0.00099, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0099, "p = 0.010"),
        (0.01, "p = 0.01"),
        (0.994, "p = 0.99"),
        (1, "p = 1.00"),
    ],
)
def test_a_small_p_value_has_three_digits_a_tiny_one_none(p, words):
    assert in_words(p) == words


def test_runs_that_are_equally_good_are_said_to_be_so_without_a_number_of_pictures():
    right = np.ones(50, bool)
    one, other = right.copy(), right.copy()
    one[0] = other[1] = False
    (made,) = compare([run("A", one), run("B", other)])
    assert (made.first.network, made.second.network) == ("A", "B")
    assert made.sentence == (
        "A, transferred and B, transferred do not differ significantly on 50 test pictures: "
        "0.0 percentage points, 95 % CI −6.8 to 6.8, p = 1.00."
    )


def compared(p, **facts):
    one = run("A", [True] * 10)
    known = {"pictures": 10, "folds": 1, "only_first": 3, "only_second": 0, "needed": 99}
    return Comparison(one, one, **known | {"low": 0.1, "high": 0.5} | facts, p=p)


def test_a_p_value_of_5_percent_is_not_below_it():
    assert compared(0.0499).significant
    assert not compared(0.0501).significant


@pytest.mark.parametrize(
    ("needed", "told"), [(9, "9"), (14, "14"), (469, "470"), (1_569_701, "1,600,000")]
)
def test_pictures_needed_are_told_in_two_digits(needed, told):
    assert f" takes about {told} pictures." in compared(1.0, needed=needed).sentence
