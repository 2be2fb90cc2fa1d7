"""params.yaml as typed, checked, frozen objects: read here and nowhere else.

What can be chosen, and within which limits, is in `schema`; how the file is read in `file`; how a
wrong value is told in `explain` and `words`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import yaml
from pydantic import ValidationError

from stages.params import file
from stages.params.explain import explain
from stages.params.schema import (
    NETWORKS,
    SOURCES,
    UNSET,
    Augment,
    Checks,
    Class,
    Compute,
    Download,
    Export,
    Filters,
    Finetune,
    Rgb,
    Scrape,
    Split,
    Study,
    Training,
)
from stages.params.words import FILE, refuse, shown

__all__ = [
    "FILE", "NETWORKS", "SOURCES", "UNSET", "Augment", "Checks", "Class", "Compute", "Download",
    "Export", "Filters", "Finetune", "Rgb", "Scrape", "Split", "Study", "Training", "changed",
    "check", "compute", "load", "own_value", "with_seed",
]  # fmt: skip

_loaded: dict[str, Any] = {}  # by the names that `load` was asked for


def load(*names: str) -> SimpleNamespace:
    """Check the whole of params.yaml and return the sections named, and nothing else.

    A name is a section ("seed", "transfer") or one value of it ("finetune.blocks"): what a stage
    asks for is what it declares under `params:` in dvc.yaml.

    Raises ParameterError, one line with the key, the value and what is allowed.
    """
    study = check(file.read())
    asked = SimpleNamespace()
    for name in names:
        _loaded[name] = value = _value(study, name)
        section, _, key = name.partition(".")
        if key:
            part = getattr(asked, section, SimpleNamespace())
            setattr(part, key, value)
            value = part
        setattr(asked, section, value)
    return asked


def compute() -> Compute:
    """Where work runs. No result depends on it, so no stage declares it. Raises ParameterError."""
    return check(file.read()).compute


def changed() -> list[str]:
    """Names given to `load` whose values in params.yaml are no longer those it returned."""
    study = check(file.read())
    return [name for name, value in _loaded.items() if _value(study, name) != value]


def _value(study: Study, name: str) -> Any:
    section, _, key = name.partition(".")
    value = getattr(study, section)
    return getattr(value, key) if key else value


def check(content: object) -> Study:
    """Typed parameters from the content of params.yaml. Raises ParameterError."""
    if not isinstance(content, dict):
        refuse(f"the whole is {shown(content, [])}", "a map of sections")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        explain(error.errors()[0], content)


def with_seed(seed: str) -> str:
    """params.yaml as it would be with another seed and no repeats. Raises ParameterError."""
    content = file.read()
    check(content)
    content |= {"seed": int(seed) if seed.isdecimal() else seed}
    content["evaluate"] |= {"repeats": []}
    check(content)
    return yaml.safe_dump(content, sort_keys=False)


def own_value(setting: object, model: str, own: Any) -> Any:
    """What a setting means for one network: `own` where it says `auto` or does not name it."""
    if isinstance(setting, dict):
        return setting.get(model, own)
    return own if setting == "auto" else setting
