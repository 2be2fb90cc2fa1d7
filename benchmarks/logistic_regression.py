"""Is the transferred head as good as it can be? Against scikit-learn on the same features.

    python -m benchmarks.logistic_regression     # minutes for each network

LogisticRegression is fitted to every view of the training pictures, standardised, with the C that
is best on validation; our head is the one that `dvc repro transfer evaluate` left. Validation
accuracy is compared, on which both were chosen; test accuracy is shown beside it. There is a row
for every network whose features are in models/ and whose head was evaluated, in params.yaml or not.
"""

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stages.pictures import datasets
from stages.statistics import scores

SPLITS = ("validation", "test")


def main() -> None:
    listing = datasets.read_listing()
    print("network, validation: head, scikit-learn, points; test: head, scikit-learn; C")
    for model in networks():
        folder = Path("models", model, "features")
        views, clean = np.load(folder / "views.npy"), np.load(folder / "clean.npy")[:, 0]
        said = scores.read_predictions(predictions(model))
        ours = [float(np.mean((said.predicted == said.actual)[listing.rows(s)])) for s in SPLITS]
        c, theirs = best_regression(listing, views, clean)
        points = 100 * (ours[0] - theirs[0])
        print(f"{model} {ours[0]:.3f} {theirs[0]:.3f} {points:+.1f}", end=" ")
        print(f"{ours[1]:.3f} {theirs[1]:.3f} {c:g}", flush=True)


def networks() -> list[str]:
    """Those that can be compared. Raises SystemExit where none can."""
    found = [path.parents[1].name for path in sorted(Path("models").glob("*/features/views.npy"))]
    evaluated = [model for model in found if predictions(model).exists()]
    if not evaluated:
        raise SystemExit("no features and predictions here: make repro makes them")
    return evaluated


def predictions(model: str) -> Path:
    return Path("reports/predictions", f"{model}-transfer.csv")


def best_regression(
    listing: datasets.Listing, views: np.ndarray, clean: np.ndarray
) -> tuple[float, list[float]]:
    """The best C and the validation and test accuracy it gives."""
    train = listing.rows("train")
    flat = views[train].reshape(-1, views.shape[-1])
    labels = np.repeat(listing.labels[train], views.shape[1])
    found = []
    for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        right = model.fit(flat, labels).predict(clean) == listing.labels
        found.append((c, [float(right[listing.rows(split)].mean()) for split in SPLITS]))
    return max(found, key=lambda pair: pair[1][0])


if __name__ == "__main__":
    main()
