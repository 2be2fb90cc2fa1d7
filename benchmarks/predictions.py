"""Predictions of exported networks against Keras's, and how soon the first one comes.

    python -m benchmarks.predictions     # in a study that has run; minutes

1,000 pictures of data/rgb, as often as it takes, by each network: `app.prediction` from files to
answers, and `model.predict` of Keras on the same files, read by as many threads. Then the seconds
from the start of `python -m app.predict` to its end, for one picture, median of five.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from statistics import median

import keras

from app.prediction.answers import answers
from app.prediction.choice import PRECISIONS, exported
from app.prediction.model import load
from stages.networks.models import load_trained
from stages.pictures import datasets

PICTURES = 1_000
STARTS = 5


def main() -> None:
    listing = datasets.read_listing()
    files = list(islice(cycle(listing.files), PICTURES))
    places = [str(datasets.RGB / file) for file in files]
    for network, folder in exported().items():
        trained = load_trained(folder.parent / "finetune")
        plain = rate(lambda trained=trained: by_keras(*trained, files))
        print(f"{network}: Keras {plain:.1f} pictures/s", flush=True)
        for precision in PRECISIONS:
            model = load(folder / f"{precision}.onnx")
            own = rate(lambda model=model: list(answers(model, places)))
            start = median(started(network, precision, places[0]) for _ in range(STARTS))
            print(
                f"{network}, {precision}: {own:.1f} pictures/s, {own / plain:.2f} times Keras; "
                f"first answer after {start:.2f} s",
                flush=True,
            )


def by_keras(network: keras.Model, card: dict, files: list[str]) -> None:
    pixels = datasets.read_pixels(files, card["image_size"], card["background"])
    network.predict(datasets.scaled(pixels), verbose=0)


def rate(work: Callable[[], object]) -> float:
    """Pictures a second."""
    began = time.perf_counter()
    work()
    return PICTURES / (time.perf_counter() - began)


def started(network: str, precision: str, picture: str) -> float:
    words = ["--model", network, "--precision", precision, picture]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "app.predict", *words], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
