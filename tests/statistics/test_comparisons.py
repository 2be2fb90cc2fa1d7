"""Tests between runs: against statsmodels, hand-counted cases, and simulated studies."""

from functools import cache

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as theirs
from statsmodels.stats.multitest import multipletests

from stages.statistics.comparisons import (
    Comparison,
    compare,
    discordant,
    holm,
    in_words,
    mcnemar,
    needed_pictures,
)
from stages.statistics.runs import Run
from tests.statistics.test_scores import predictions

CLASSES = ("Cat", "Dog")


def run(name, right):
    """A run on cats that is right where told so."""
    right = np.asarray(right, bool)
    said = predictions(np.zeros(len(right), int), np.where(right, 0, 1), CLASSES)
    return Run(name, "transfer", {"title": name}, said, {})


@pytest.mark.parametrize("counts", [(8, 2), (2, 8), (0, 5), (1, 0), (40, 25), (7, 7)])
def test_mcnemar_is_the_exact_one_of_statsmodels(counts):
    table = [[50, counts[0]], [counts[1], 20]]
    assert mcnemar(*counts) == pytest.approx(theirs(table, exact=True).pvalue)


def test_five_pictures_that_only_one_run_gets_right_are_chance_once_in_sixteen():
    assert mcnemar(5, 0) == pytest.approx(2 / 2**5)
    assert mcnemar(0, 0) == 1


def test_holm_is_that_of_statsmodels():
    p_values = np.random.default_rng(0).uniform(size=12) ** 3
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_only_pictures_on_which_runs_differ_count():
    one, other = run("one", [1, 1, 0, 0, 1]), run("other", [1, 0, 0, 1, 0])
    assert discordant(one, other) == (2, 1)


def test_the_number_of_pictures_needed_finds_a_difference_in_four_of_five_studies():
    needed = needed_pictures(12, 4, 100)  # of 100 pictures: 12 only the one, 4 only the other
    rng = np.random.default_rng(0)
    counts = rng.multinomial(needed, [0.12, 0.04, 0.84], size=2000)
    p_value = cache(mcnemar)
    power = np.mean([p_value(int(a), int(b)) < 0.05 for a, b, _ in counts])
    assert 0.74 < power < 0.84  # the exact test asks for a little more than the formula


def test_no_number_of_pictures_tells_equal_runs_apart():
    assert needed_pictures(3, 3, 100) is None


def test_a_clear_difference_is_told_in_words_and_an_unclear_one_with_what_it_takes():
    right = np.ones(100, bool)
    bad, same = right.copy(), right.copy()
    bad[:20] = False
    same[:2] = False
    runs = [run("Bad", bad), run("Good", right), run("Same", same)]
    made = compare(runs, [np.array([0.8, 0.8]), np.array([1.0, 1.0]), np.array([0.97, 0.99])])
    clear, fair, unclear = made
    assert (clear.first.network, clear.second.network) == ("Good", "Bad")
    assert clear.sentence == (
        "Good, transferred is significantly better than Bad, transferred: 20.0 percentage points, "
        "95 % CI 20.0 to 20.0, p < 0.001."
    )
    assert fair.significant
    assert unclear.sentence == (
        "Good, transferred and Same, transferred do not differ significantly on 100 pictures: 2.0 "
        "percentage points, 95 % CI 1.1 to 3.0, p = 0.50. To detect a true difference of this size "
        "takes about 400 test pictures."
    )


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
    (made,) = compare([run("A", one), run("B", other)], [np.array([0.98]), np.array([0.98])])
    assert (made.first.network, made.second.network) == ("A", "B")
    assert made.sentence == (
        "A, transferred and B, transferred do not differ significantly on 50 pictures: "
        "0.0 percentage points, 95 % CI 0.0 to 0.0, p = 1.00."
    )


def test_a_worse_end_of_an_interval_has_a_real_minus():
    right = np.ones(40, bool)
    worse = right.copy()
    worse[0] = False
    draws = [np.array([0.95, 1.0]), np.array([1.0, 0.95])]
    (made,) = compare([run("A", right), run("B", worse)], draws)
    assert "2.5 percentage points, 95 % CI −4.8 to 4.8, p = 1.00." in made.sentence


def compared(p, **facts):
    one = run("A", [True] * 10)
    known = {"pictures": 10, "only_first": 3, "only_second": 0, "low": 0.1, "high": 0.5}
    return Comparison(one, one, **known | facts, p=p)


def test_a_p_value_of_5_percent_is_not_below_it():
    assert compared(0.0499).significant
    assert not compared(0.05).significant


@pytest.mark.parametrize(
    ("only_first", "only_second", "pictures", "told"),
    [
        (1, 0, 2, "14"),
        (7, 0, 10, "9"),
        (20, 10, 200, "470"),  # 469 by the formula
        (101, 100, 1000, "1,600,000"),
    ],
)
def test_pictures_needed_are_told_in_two_digits(only_first, only_second, pictures, told):
    facts = {"only_first": only_first, "only_second": only_second, "pictures": pictures}
    assert f" takes about {told} test pictures." in compared(1.0, **facts).sentence


def test_the_number_of_pictures_needed_is_that_of_connors_formula():
    # Of 100 pictures 12 and 4: (1.959964 √0.16 + 0.841621 √(0.16 − 0.0064))² / 0.0064 = 193.8.
    assert needed_pictures(12, 4, 100) == needed_pictures(4, 12, 100) == 194
