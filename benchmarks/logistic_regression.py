"""Is the transferred head as good as it can be? Against scikit-learn on the same features.

    python benchmarks/logistic_regression.py

LogisticRegression is fitted to every view of the training pictures, standardised, with the C that
is best on validation; our head is the one that `dvc repro transfer evaluate` left. Validation
accuracy is compared, on which both were chosen; test accuracy is shown beside it.
"""

from pathlib import Path

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stages import datasets, scores


def main() -> None:
    listing = datasets.read_listing()
    print("network, validation: head, scikit-learn, points; test: head, scikit-learn; C")
    for model in yaml.safe_load(Path("params.yaml").read_text())["models"]:
        folder = Path("models", model, "features")
        views, clean = np.load(folder / "views.npy"), np.load(folder / "clean.npy")[:, 0]
        said = scores.read_predictions(f"reports/predictions/{model}-transfer.csv")
        ours = [float(np.mean((said.predicted == said.actual)[listing.rows(s)])) for s in SPLITS]
        c, theirs = best_regression(listing, views, clean)
        points = 100 * (ours[0] - theirs[0])
        print(f"{model} {ours[0]:.3f} {theirs[0]:.3f} {points:+.1f}", end=" ")
        print(f"{ours[1]:.3f} {theirs[1]:.3f} {c:g}", flush=True)


SPLITS = ("validation", "test")


def best_regression(
    listing: datasets.Listing, views: np.ndarray, clean: np.ndarray
) -> tuple[float, list[float]]:
    """The best C and the validation and test accuracy it gives."""
    flat = views.reshape(-1, views.shape[-1])
    labels = np.repeat(listing.labels[listing.rows("train")], views.shape[1])
    found = []
    for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        right = model.fit(flat, labels).predict(clean) == listing.labels
        found.append((c, [float(right[listing.rows(split)].mean()) for split in SPLITS]))
    return max(found, key=lambda pair: pair[1][0])


if __name__ == "__main__":
    main()
