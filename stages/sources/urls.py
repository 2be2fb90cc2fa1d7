"""Pictures of a list of your own: a CSV file with columns class and url.

    class,url,title
    Cat,https://example.org/cat.png,A cat that sleeps

What is known of a picture may stand beside it, in columns named as in the manifest.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from stages.download import Candidate, Feeder, Parser
from stages.download import pictures as downloaded
from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import Missed, Picture

COLUMNS = ("class", "url")
KNOWN = ("query", "page_url", "title", "author", "licence", "licence_url")
PAGE = 100  # lines


def pictures(classes: Mapping[str, Class], settings: Scrape) -> Iterator[Picture | Missed]:
    """The pictures of each class in the order of the list."""
    return downloaded("urls", Lines, Candidates, classes, settings)


def read(path: Path, classes: Mapping[str, Class]) -> dict[str, list[Candidate]]:
    """The list by class. Raises StudyError where it cannot be read or lacks a class."""
    found: dict[str, list[Candidate]] = {name: [] for name in classes}
    names = {name: name for name in classes}  # one text for each, not one for each line
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="", strict=True)
            _require_columns(path, rows.fieldnames or [])
            for row in rows:
                name = names.get(row["class"])
                if name:  # a list may have more classes than the study
                    known = {column: row.get(column, "") for column in KNOWN}
                    found[name].append(Candidate(name, row["url"].strip(), **known))
    except (OSError, UnicodeError, csv.Error) as error:
        raise StudyError(f"{path} cannot be read ({error}): scrape.urls needs a CSV file") from None
    for name, candidates in found.items():
        if not candidates:
            raise StudyError(f"{path} has no line of class {name}: scrape.urls needs some of each")
    return found


def _require_columns(path: Path, columns: list[str]) -> None:
    if missing := [name for name in COLUMNS if name not in columns]:
        raise StudyError(
            f"{path} has no column {' and no column '.join(missing)}: its first line names them, "
            f"{','.join(COLUMNS)} and, if you like, {','.join(KNOWN)}"
        )


class Lines(Feeder):
    def feed(self, classes: Mapping[str, Class], settings: Scrape) -> None:
        for name, candidates in read(Path(settings.urls), classes).items():
            for first in range(0, len(candidates), PAGE):
                if self.quota.full(name):
                    break
                self.output(tuple(candidates[first : first + PAGE]))


class Candidates(Parser):
    def parse(self, page: tuple[Candidate, ...]) -> Iterator[Candidate]:
        yield from page
