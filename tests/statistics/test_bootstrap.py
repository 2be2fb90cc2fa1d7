"""Intervals: against known theory, and what groups and few pictures do to them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from stages.statistics.bootstrap import accuracy_interval, draws, interval, replicates
from stages.statistics.scores import summary
from tests.statistics.test_scores import predictions, random_predictions


def test_an_accuracy_has_the_interval_of_the_binomial_distribution():
    said = predictions(np.zeros(400, int), (np.arange(400) < 80).astype(int), ["Cat", "Dog"])
    low, high = interval(replicates(said, draws(said, seed=0))["accuracy"])
    half = norm.ppf(0.975) * np.sqrt(0.8 * 0.2 / 400)
    assert (low, high) == pytest.approx((0.8 - half, 0.8 + half), abs=0.008)


def test_each_figure_is_that_of_the_pictures_drawn():
    said = random_predictions(60, classes=3)
    drawn = draws(said, seed=1)
    order = np.argsort(said.groups)  # draws are in the order of the groups' names
    found = replicates(said, drawn)
    for draw in (0, 7):
        expected = summary(said.where(np.repeat(order, drawn[draw].astype(int))))
        for name, values in found.items():
            assert values[draw] == pytest.approx(expected[name], abs=1e-5), name


def test_pictures_that_resemble_each_other_widen_the_interval():
    said = predictions(np.zeros(120, int), (np.arange(120) < 30).astype(int), ["Cat", "Dog"])
    triples = replace(said, groups=np.array([f"g{i // 3}" for i in range(120)]))
    widths = [
        np.ptp(interval(replicates(part, draws(part, seed=0))["accuracy"]))
        for part in (said, triples)
    ]
    assert 1.5 < widths[1] / widths[0] < 2  # by theory the root of 3


def test_fifteen_of_fifteen_right_is_not_certain():
    assert accuracy_interval(np.ones(9), groups=15) == pytest.approx((0.782, 1), abs=1e-3)
    assert accuracy_interval(np.zeros(9), groups=15) == pytest.approx((0, 0.218), abs=1e-3)


def test_the_seed_decides_the_draws():
    said = random_predictions(50, classes=3)
    assert np.array_equal(draws(said, 3), draws(said, 3))
    assert not np.array_equal(draws(said, 3), draws(said, 4))
