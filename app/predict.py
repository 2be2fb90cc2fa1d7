"""`python -m app.predict`: what the study's best network says of your own pictures.

Files, folders, patterns, URLs, or - for standard input: docs/predict.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from app.prediction.choice import PRECISIONS, chosen
from stages.errors import ParameterError, StudyError


def main(
    places: list[str],
    model: str | None,
    precision: str,
    max_error: float | None,
    top: int,
    form: str,
    batch: int,
) -> None:
    file = chosen(model, precision)
    # Imported here, as much else: each process that decodes imports this file again.
    from app.prediction.answers import answers
    from app.prediction.forms import FORMS
    from app.prediction.model import load

    network = load(file)
    threshold = 0.0 if max_error is None else threshold_of(network.thresholds, max_error)
    write = FORMS[form](sys.stdout, network.card["classes"], top)
    read = Counter()
    for answer in answers(network, places, threshold, batch):
        write(answer)
        read[not answer.reason] += 1
    if read[False]:
        raise StudyError(f"{read[False]} of {read.total()} pictures could not be read")


def threshold_of(thresholds: dict[float, float], max_error: float) -> float:
    """Raises ParameterError for a share that the card has no confidence for."""
    if max_error not in thresholds:
        allowed = ", ".join(f"{share:g}" for share in thresholds) or "none, for this network"
        raise ParameterError(f"--max-error is {max_error:g}; allowed: {allowed}")
    return thresholds[max_error]


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m app.predict", description="What a network of the study says of your pictures."
    )
    add = parser.add_argument
    add("places", nargs="+", metavar="picture", help="a file, folder, pattern, URL, or -")
    add("--model", help="a network of models/, or a file; the best network unless given")
    add("--precision", choices=PRECISIONS, default="float32", help="of a network of models/")
    add("--max-error", type=float, help="say none of the classes where else more would be wrong: "
        "0.05 bears one in twenty, as validation pictures had it")  # fmt: skip
    add("--top", type=positive, default=3, help="so many classes")
    add("--format", dest="form", choices=("table", "jsonl", "csv"), default="table")
    add("--batch", type=positive, default=8, help="pictures at once, on each core")
    return parser


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("allowed: 1 or more")
    return int(text)


if __name__ == "__main__":
    from stages.runtime.program import run_command

    run_command(main, words())
