"""Which exported file is meant. Apart from `model`: whoever decodes alone needs no onnxruntime."""

from __future__ import annotations

from pathlib import Path

from stages.errors import ParameterError, StudyError
from stages.statistics.choice import preference
from stages.tables import read_json

MODELS = Path("models")
PRECISIONS = ("float32", "float16", "int8")


def exported() -> dict[str, Path]:
    """The folder of each exported network, the one that is best on validation pictures first.

    Raises StudyError where there is none.
    """
    cards = {folder: read_json(folder / "card.json") for folder in MODELS.glob("*/export")}
    if not cards:
        raise StudyError("no network is exported here yet: `make repro` exports them")

    def rank(folder: Path) -> tuple[float, float, str]:
        return *preference(cards[folder]["validation"]), str(folder)

    return {cards[folder]["network"]: folder for folder in sorted(cards, key=rank)}


def chosen(model: str | None, precision: str) -> Path:
    """A file as it is, or that of a network by its name; without either that of the best network.

    Raises ParameterError where it is neither, StudyError where nothing is exported.
    """
    if model and Path(model).is_file():
        return Path(model)
    folders = exported()
    name = model or next(iter(folders))
    if name not in folders:
        raise ParameterError(f"{name} is no file, and no network of models/: {', '.join(folders)}")
    return folders[name] / f"{precision}.onnx"
