"""Calibration of confidences: reliability, temperature scaling, risk by coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from stages.statistics.scores import EPSILON, Predictions, losses

BINS = 10
MAX_TEMPERATURE = 20.0  # temperatures are looked for from its inverse up to it


def confidence(predictions: Predictions) -> np.ndarray:
    """The probability given to the predicted class, in (0, 1]: float64 (n,)."""
    return predictions.probability[np.arange(len(predictions)), predictions.predicted]


def reliability(predictions: Predictions) -> np.ndarray:
    """float64 (BINS, 3): pictures, mean confidence and accuracy of each tenth of confidence.

    NaN where a bin has no picture. M. DeGroot, S. Fienberg 1983.
    """
    sure, correct = confidence(predictions), predictions.actual == predictions.predicted
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    pictures = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, values, BINS) / pictures for values in (sure, correct)]
    return np.stack([pictures, *means], axis=1)


def calibration_error(predictions: Predictions) -> float:
    """Expected calibration error over ten equal bins, 0 to 1; C. Guo et al. 2017.

    https://arxiv.org/abs/1706.04599. Few pictures inflate it: a perfect model has more than 0.
    """
    pictures, sure, correct = reliability(predictions).T
    return float(np.nansum(pictures * np.abs(sure - correct)) / pictures.sum())


def fit_temperature(predictions: Predictions) -> float:
    """The temperature with the lowest log loss on these pictures; above 1: an overconfident run.

    Fitted on validation pictures, never on those it is then judged by.
    """
    found = minimize_scalar(
        lambda log: float(np.mean(losses(temperature_scaled(predictions, float(np.exp(log)))))),
        bounds=(-np.log(MAX_TEMPERATURE), np.log(MAX_TEMPERATURE)),
        method="bounded",
    )
    return float(np.exp(found.x))


def temperature_scaled(predictions: Predictions, temperature: float) -> Predictions:
    """The same predictions, their logits divided by a temperature: only confidences change."""
    logits = np.log(np.maximum(predictions.probability, EPSILON)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return replace(predictions, probability=odds / odds.sum(axis=1, keepdims=True))


def risk_by_coverage(predictions: Predictions) -> np.ndarray:
    """float64 (n,): the share wrong among the k most confident predictions, for k = 1 … n.

    Y. Geifman, R. El-Yaniv 2017, https://arxiv.org/abs/1705.08500.
    """
    order = np.argsort(-confidence(predictions), kind="stable")
    wrong = (predictions.actual != predictions.predicted)[order]
    return np.cumsum(wrong) / np.arange(1, len(predictions) + 1)


def confidence_for(risk: float, predictions: Predictions) -> float | None:
    """The lowest confidence with which all predictions together are wrong at most so often.

    `risk` is a share, 0 to 1. None where even the most confident predictions are wrong more often.
    Like a temperature it is chosen on validation pictures, not on those it is then judged by.
    """
    sure = np.sort(confidence(predictions))[::-1]
    allowed = risk_by_coverage(predictions) <= risk
    last_of_equals = np.append(sure[1:] < sure[:-1], True)  # a limit admits all that share it
    places = np.flatnonzero(allowed & last_of_equals)
    return float(sure[places[-1]]) if len(places) else None
