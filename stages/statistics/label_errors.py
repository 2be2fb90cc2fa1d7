"""Pictures that are probably in the wrong class: confident learning.

C. Northcutt et al.: Confident Learning, 2021, https://arxiv.org/abs/1911.00068, as the package
cleanlab does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.statistics.runs import Run

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class LabelIssue:
    """A picture that is probably labelled wrongly (a label issue of cleanlab)."""

    file: str
    given: str
    suggested: str
    self_confidence: float  # mean probability of the given class


def label_issues(runs: Sequence[Run]) -> list[LabelIssue]:
    """Probable label errors among the pictures no run was trained on, lowest self-confidence first.

    The probabilities are the mean over the runs. Training pictures are left out: what a network
    says of them is no outside opinion.
    """
    held_out = [run.predictions.where(np.isin(run.predictions.splits, HELD_OUT)) for run in runs]
    first = held_out[0]
    probability = np.mean([predictions.probability for predictions in held_out], axis=0)
    present = np.unique(first.actual)  # cleanlab needs a picture of every class
    shares = probability[:, present]
    shares /= shares.sum(axis=1, keepdims=True)
    if len(present) < 2:
        return []
    return [
        LabelIssue(
            first.files[row],
            first.classes[first.actual[row]],
            first.classes[present[shares[row].argmax()]],
            float(probability[row, first.actual[row]]),
        )
        for row in _issues(np.searchsorted(present, first.actual), shares)
    ]


def _issues(labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    from cleanlab.filter import find_label_issues  # here: it takes seconds to import

    return find_label_issues(
        labels, shares, return_indices_ranked_by="self_confidence", n_jobs=1, verbose=False
    )
