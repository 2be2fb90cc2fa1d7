"""Which run is called the best: by validation pictures, so that test pictures do not flatter it.

Apart from the other statistics: the program that predicts goes by it too, without SciPy.
"""

from __future__ import annotations

from collections.abc import Mapping


def preference(validation: Mapping[str, float]) -> tuple[float, float]:
    """What to sort by, the best first: accuracy, then log loss, on the validation pictures."""
    return -validation["accuracy"], validation["log_loss"]
