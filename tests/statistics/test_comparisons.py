"""Tests between runs: against statsmodels, hand-counted cases, and simulated studies."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as theirs
from statsmodels.stats.multitest import multipletests

from stages.statistics.comparisons import compare, discordant, holm, mcnemar, needed_pictures
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
    power = np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in counts])
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
