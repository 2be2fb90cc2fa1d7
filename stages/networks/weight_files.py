"""Values of a network's variables in a safetensors file, by `variable.path`: no code, no pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from stages.errors import StudyError

if TYPE_CHECKING:
    import keras


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write the values of all variables, in one step; the same values are the same bytes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    values = {name: np.asarray(variable) for name, variable in _variables(model).items()}
    draft.write_bytes(save(values))
    os.replace(draft, path)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Set every variable of the model from a file that holds these and no others.

    Raises StudyError for a missing or damaged file, or one of another network.
    """
    try:
        values = load_file(path)
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: `dvc repro` makes it") from None
    except SafetensorError as error:
        raise StudyError(f"{path} is damaged ({error}): remove it, `dvc repro` makes it") from None
    set_weights(model, values, str(path))


def set_weights(model: keras.Model, values: Mapping[str, np.ndarray], origin: str) -> None:
    """Set every variable of the model; raises StudyError unless the values fit one to one."""
    variables = _variables(model)
    if missing := sorted(variables.keys() - values.keys()):
        raise StudyError(f"{origin} lacks {_some(missing)} of {model.name}")
    if extra := sorted(values.keys() - variables.keys()):
        raise StudyError(f"{origin} has {_some(extra)}, unknown to {model.name}")
    for path, variable in variables.items():
        value = values[path]
        if value.shape != tuple(variable.shape) or value.dtype != variable.dtype:
            raise StudyError(
                f"{origin}: {path} is {value.dtype} {value.shape}, "
                f"{model.name} takes {variable.dtype} {tuple(variable.shape)}"
            )
    for path, variable in variables.items():
        variable.assign(values[path])


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    variables = {weight.path: weight for weight in model.weights}
    if len(variables) < len(model.weights):
        raise ValueError(f"{model.name} has two variables of one path")
    return variables


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
