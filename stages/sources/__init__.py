"""Where pictures come from: one file each, named as in `scrape.source` of params.yaml.

Here: what is asked of a source, how each one is read, what is taken. Not here: HTTP itself (web),
and what is done with a picture once it is there (pictures).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from stages.errors import ParameterError
from stages.params import SOURCES

RESERVE = 10  # pictures beyond `per_class` that a source may give: some will be repeats


@dataclass(frozen=True)
class Found:
    """What a source knows of a picture. Unknown facts are empty text.

    `query` is the search word that found it; `licence` an SPDX name where the source has one.
    """

    class_name: str
    source: str
    query: str
    image_url: str
    page_url: str
    title: str
    author: str
    licence: str
    licence_url: str


@dataclass(frozen=True)
class Picture(Found):
    """One picture as its source gave it.

    `data` holds the original bytes, or is the file that does: a source of many large pictures
    keeps none of them in memory. `name` is a file name with suffix, made of letters, digits, dot,
    dash and underscore; the stage numbers what has the name of another picture.
    """

    name: str
    data: bytes | Path


@dataclass(frozen=True)
class Missed(Found):
    """A picture that was found and could not be had: `reason` is one word, for the metrics.

    It may stand for several `files` that no one needs one by one.
    """

    reason: str
    files: int = 1


@dataclass(frozen=True)
class Trouble:
    """A search without results: `reason` names what came instead, `page` is it."""

    class_name: str
    source: str
    query: str
    reason: str
    page: bytes


def lookup(name: str) -> ModuleType:
    """The module of a source; it offers

    `pictures(classes, settings, known) -> Iterator[Picture | Missed | Trouble]`: of each class the
    best first, always in the same order, up to its `per_class + RESERVE`. `classes` are those of
    params.yaml with all they leave out filled in, `settings` is its section `scrape`. `known` are
    hashes (sha256) of pictures that are there already and so make up for none that is missing.
    A source knows no folders and no manifests of the project: the stage counts and complains.
    """
    if name not in SOURCES:
        raise ParameterError(f"unknown source {name}; allowed: {', '.join(SOURCES)}")
    return importlib.import_module(f"stages.sources.{name}")
