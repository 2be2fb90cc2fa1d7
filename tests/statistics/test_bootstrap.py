"""Intervals: against known theory, and what groups and few pictures do to them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import precision_recall_fscore_support

from stages.statistics.bootstrap import (
    REPLICATES,
    draws,
    interval,
    metric_interval,
    replicates,
)
from stages.statistics.intervals import accuracy_interval
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


def test_an_accuracy_has_the_interval_of_comparisons_and_other_metrics_that_of_their_draws():
    said = random_predictions(60, classes=3)
    correct, values = said.actual == said.predicted, np.linspace(0, 1, 101)
    assert metric_interval("accuracy", values, said) == accuracy_interval(correct, said.groups)
    assert metric_interval("log_loss", values, said) == pytest.approx((0.025, 0.975))


def test_the_seed_decides_the_draws():
    said = random_predictions(50, classes=3)
    assert np.array_equal(draws(said, 3), draws(said, 3))
    assert not np.array_equal(draws(said, 3), draws(said, 4))


def test_macro_figures_are_scikit_learns_over_the_classes_that_were_drawn():
    """Few pictures, so that classes are missing, or drawn or predicted once, in many draws."""
    said = random_predictions(12, classes=4, seed=3)
    drawn = draws(said, seed=0)
    order = np.argsort(said.groups)
    found = replicates(said, drawn)
    for draw in range(40):
        part = said.where(np.repeat(order, drawn[draw].astype(int)))
        expected = precision_recall_fscore_support(
            part.actual,
            part.predicted,
            labels=np.unique(part.actual),
            average="macro",
            zero_division=0,
        )
        figures = [found[f"macro_{name}"][draw] for name in ("precision", "recall", "f1")]
        assert figures == pytest.approx(expected[:3])


def test_each_draw_has_as_many_groups_as_there_are():
    said = random_predictions(30, classes=3)
    said = replace(said, groups=np.array([f"g{i // 3}" for i in range(30)]))
    drawn = draws(said, seed=0)
    assert drawn.shape == (REPLICATES, 10)
    assert (drawn.sum(axis=1) == 10).all()


def test_draws_are_as_many_as_the_report_says(project):
    text = (project / "docs/report.md").read_text(encoding="utf-8")
    assert f"bootstrap, {REPLICATES:,} draws" in text
