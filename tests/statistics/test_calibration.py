"""Confidences: hand-computed bins, and temperatures that are known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from stages.statistics.calibration import (
    calibration_error,
    confidence,
    confidence_for,
    fit_temperature,
    reliability,
    risk_by_coverage,
    temperature_scaled,
)
from tests.statistics.test_scores import predictions, random_predictions


def sure(confidences, right):
    """Predictions of class 0 with these confidences, of which some are right."""
    confidences = np.array(confidences)
    probability = np.stack([confidences, 1 - confidences], axis=1)
    actual = np.where(right, 0, 1)
    return predictions(actual, np.zeros(len(actual), int), ["Cat", "Dog"], probability)


def test_calibration_error_by_hand():
    said = sure([0.95, 0.95, 0.65, 0.65], [True, True, True, False])
    # Two pictures at 0.95 all right, two at 0.65 half right: (2·0.05 + 2·0.15) / 4.
    assert calibration_error(said) == pytest.approx(0.1)
    assert reliability(said)[9].tolist() == pytest.approx([2, 0.95, 1])
    assert reliability(said)[0][0] == 0


def test_certainty_is_in_the_last_bin():
    assert reliability(sure([1.0], [True]))[9].tolist() == [1, 1, 1]


def test_a_run_that_is_twice_too_sure_has_temperature_two():
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(20_000, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    actual = (true.cumsum(axis=1) > rng.uniform(size=(20_000, 1))).argmax(axis=1)
    honest = predictions(actual, true.argmax(axis=1), list("abcd"), true)
    assert fit_temperature(honest) == pytest.approx(1, abs=0.05)
    too_sure = temperature_scaled(honest, 0.5)
    assert fit_temperature(too_sure) == pytest.approx(2, abs=0.1)
    assert calibration_error(too_sure) > 5 * calibration_error(temperature_scaled(too_sure, 2))


def test_temperature_changes_confidences_and_no_prediction():
    said = random_predictions(50, classes=5)
    cooler = temperature_scaled(said, 0.3)
    assert np.array_equal(cooler.probability.argmax(axis=1), said.probability.argmax(axis=1))
    assert cooler.probability.sum(axis=1) == pytest.approx(np.ones(50))
    assert (confidence(cooler) > confidence(said)).all()


def test_risk_by_coverage_by_hand():
    said = sure([0.6, 0.9, 0.8, 0.7], [False, True, False, True])
    assert risk_by_coverage(said).tolist() == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])


def test_a_certain_mistake_does_not_break_scaling():
    said = replace(sure([1.0, 0.7], [False, True]))
    assert np.isfinite(temperature_scaled(said, 3.0).probability).all()


def test_a_confidence_at_the_edge_of_two_bins_is_in_the_upper_one():
    pictures = reliability(sure([0.5, 0.75, 0.79, 0.25], [True] * 4))[:, 0]
    assert pictures.tolist() == [0, 0, 1, 0, 0, 1, 0, 2, 0, 0]


def test_a_bin_without_pictures_has_no_confidence_and_no_accuracy():
    assert np.isnan(reliability(sure([0.95], [True]))[0, 1:]).all()


def test_a_temperature_is_looked_for_from_a_twentieth_to_twenty():
    too_sure = sure([0.999999] * 20, [True, False] * 10)
    assert fit_temperature(too_sure) == pytest.approx(20, rel=0.01)
    too_shy = sure([0.51] * 20, [True] * 20)
    assert fit_temperature(too_shy) == pytest.approx(1 / 20, rel=0.01)


def test_equally_sure_predictions_keep_their_order():
    said = sure([0.9, 0.9, 0.9], [True, False, True])
    assert risk_by_coverage(said).tolist() == pytest.approx([0, 1 / 2, 1 / 3])


def test_a_confidence_keeps_the_share_of_wrong_answers_below_what_is_borne():
    said = sure([0.9, 0.8, 0.7, 0.6], [True, False, True, True])
    assert confidence_for(0.0, said) == 0.9
    assert confidence_for(0.25, said) == 0.6  # one of four, although it is one of two before
    assert confidence_for(0.0, sure([0.9, 0.8], [False, True])) is None


def test_pictures_of_the_same_confidence_are_all_accepted_or_none():
    said = sure([0.9, 0.8, 0.8], [True, True, False])
    assert confidence_for(0.0, said) == 0.9
