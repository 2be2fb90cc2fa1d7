"""Where pictures come from: one file each, named as in `scrape.source` of params.yaml."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from stages.errors import ParameterError

NAMES = ("iconify", "folder")

RESERVE = 10  # pictures beyond `per_class` that a source may give: some will be repeats


@dataclass(frozen=True)
class Picture:
    """One picture as its source gave it, with where it came from. Unknown facts are empty text.

    `data` holds the original bytes; `name` is a file name with suffix, unique in its class and
    source, made of letters, digits, dot, dash and underscore; `query` is the search word that
    found it; `licence` an SPDX name where the source has one.
    """

    class_name: str
    name: str
    data: bytes
    source: str
    query: str
    image_url: str
    page_url: str
    title: str
    author: str
    licence: str
    licence_url: str


def lookup(name: str) -> ModuleType:
    """The module of a source; it offers

    `pictures(classes, settings) -> Iterator[Picture]`: class after class, each best first, always
    in the same order, up to `settings.per_class + RESERVE` of a class. `classes` and `settings`
    are the sections `classes` (search words, exclusions) and `scrape` of params.yaml. A source
    knows no folders and no manifests of the project: the stage counts and complains.
    """
    if name not in NAMES:
        raise ParameterError(f"unknown source {name}; allowed: {', '.join(NAMES)}")
    return importlib.import_module(f"stages.sources.{name}")
