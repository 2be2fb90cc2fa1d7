"""Whether a confidence can be believed: reliability, temperature scaling, risk by coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from stages.statistics.scores import SMALLEST, Predictions, losses

BINS = 10
HOTTEST = 20.0  # temperatures are looked for from its inverse up to it


def confidence(said: Predictions) -> np.ndarray:
    """The probability given to the predicted class, in (0, 1]: float64 (n,)."""
    return said.probability[np.arange(len(said)), said.predicted]


def reliability(said: Predictions) -> np.ndarray:
    """float64 (BINS, 3): pictures, mean confidence and accuracy of each tenth of confidence.

    NaN where a bin has no picture. M. DeGroot, S. Fienberg 1983.
    """
    sure, right = confidence(said), said.actual == said.predicted
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    pictures = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, values, BINS) / pictures for values in (sure, right)]
    return np.stack([pictures, *means], axis=1)


def calibration_error(said: Predictions) -> float:
    """Expected calibration error over ten equal bins, 0 to 1; C. Guo et al. 2017.

    https://arxiv.org/abs/1706.04599. Few pictures inflate it: a perfect model has more than 0.
    """
    pictures, sure, right = reliability(said).T
    return float(np.nansum(pictures * np.abs(sure - right)) / pictures.sum())


def fit_temperature(said: Predictions) -> float:
    """The temperature with the lowest log loss on these pictures: above 1, the run is too sure.

    Fitted on validation pictures, never on those it is then judged by.
    """
    found = minimize_scalar(
        lambda log: float(np.mean(losses(tempered(said, float(np.exp(log)))))),
        bounds=(-np.log(HOTTEST), np.log(HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))


def tempered(said: Predictions, temperature: float) -> Predictions:
    """The same predictions, their logits divided by a temperature: only confidences change."""
    logits = np.log(np.maximum(said.probability, SMALLEST)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return replace(said, probability=odds / odds.sum(axis=1, keepdims=True))


def risk_by_coverage(said: Predictions) -> np.ndarray:
    """float64 (n,): the share wrong among the k most confident predictions, for k = 1 … n.

    Y. Geifman, R. El-Yaniv 2017, https://arxiv.org/abs/1705.08500.
    """
    order = np.argsort(-confidence(said), kind="stable")
    wrong = (said.actual != said.predicted)[order]
    return np.cumsum(wrong) / np.arange(1, len(said) + 1)
