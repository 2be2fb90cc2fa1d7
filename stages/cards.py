"""What others need to know of the pictures and of each fine-tuned network: cards, and Croissant."""

from __future__ import annotations

import shutil
from pathlib import Path

from stages.metadata.croissant import croissant
from stages.metadata.data_card import Data, data_card
from stages.metadata.model_card import model_cards
from stages.metadata.picture_table import COLUMNS, picture_rows
from stages.params import load
from stages.runtime.program import run
from stages.tables import read_json, read_table, write_json, write_table, write_text

DATA, REPORTS = Path("data"), Path("reports")
MODEL_CARDS = REPORTS / "model_cards"


def main() -> str:
    params = load("models", "seed", "rgb", "split.max_distance")
    found = read_table(DATA / "rgb/manifest.csv")
    raw = read_table(DATA / "raw/manifest.csv")
    pictures = list(picture_rows(read_table(DATA / "split.csv"), found, raw))
    write_table(DATA / "pictures.csv", COLUMNS, pictures)
    write_json(DATA / "croissant.json", croissant(pictures, DATA))
    data = Data(
        pictures=pictures,
        found=found,
        scraped=read_json(REPORTS / "scrape.json"),
        checked=read_json(REPORTS / "checks.json"),
        label_errors=read_table(REPORTS / "label_errors.csv"),
        rgb=params.rgb,
        max_distance=params.split.max_distance,
    )
    write_text(REPORTS / "data_card.md", data_card(data))
    shutil.rmtree(MODEL_CARDS, ignore_errors=True)  # of networks that are no longer named
    for model, text in zip(params.models, model_cards(params.models, params.seed), strict=True):
        write_text(MODEL_CARDS / f"{model}.md", text)
    return f"{len(params.models)} networks and {len(pictures):,} pictures described"


if __name__ == "__main__":
    run(main)
