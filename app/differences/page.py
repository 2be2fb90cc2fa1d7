"""What differs, as one page that needs nothing beside itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.differences import words
from app.differences.kinds import (
    ADDED,
    CHANGED,
    KINDS,
    MOVED,
    RELABELLED,
    REMOVED,
    RENAMED,
    Dataset,
    Difference,
    Picture,
    per_class,
)
from app.differences.revisions import Revision, UnavailableError
from app.differences.thumbnails import SIDE, thumbnail
from stages.pictures.images import PictureError
from stages.runtime.progress import followed

TEMPLATE = Path(__file__).with_name("page.html.jinja")
GROUPS = 40  # of a kind that have thumbnails, at most: a page stays below some ten megabytes
SOURCE = 100  # characters of a URL, at most
TITLES = {
    RELABELLED: ("Relabelled", "The same content under another class."),
    CHANGED: ("Changed", "The same file with another content: before, after."),
    ADDED: ("Added", "Pictures that were not in the study before."),
    REMOVED: ("Removed", "Pictures that are not in the study any more."),
    MOVED: ("Moved between splits", "The same content in the same class, in another split."),
    RENAMED: ("Renamed", "The same content in the same class and split, under another file name."),
}


@dataclass
class Thumbnail:
    """A picture on the page: `uri` is empty where there is none, `reason` says why.

    `lost` is one whose bytes could not be had.
    """

    revision: Revision
    picture: Picture
    title: str = ""  # before, after
    uri: str = ""
    reason: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Card:
    """A difference on the page."""

    thumbnails: Sequence[Thumbnail]
    lines: Sequence[str]


@dataclass(frozen=True)
class Group:
    """Differences of a kind that go together; `cards` are the first of them."""

    title: str
    count: int
    cards: Sequence[Card]


@dataclass(frozen=True)
class Section:
    """The differences of a kind; `unseen` groups have no cards."""

    kind: str
    title: str
    caption: str
    count: int
    groups: Sequence[Group]
    unseen: int


class Page:
    """The differences of two revisions, at most `most` thumbnails a group."""

    def __init__(
        self,
        revisions: tuple[Revision, Revision],
        datasets: tuple[Dataset, Dataset],
        found: Sequence[Difference],
        most: int,
    ) -> None:
        self._revisions, self._datasets, self._found, self._most = revisions, datasets, found, most
        self.sections = [section for kind in KINDS if (section := self._section(kind))]

    def draw(self) -> None:
        """Read the pictures that are shown, and no others."""
        thumbnails = self.thumbnails
        for one in followed(thumbnails, "data_diff", len(thumbnails), "thumbnail"):
            try:
                one.uri = thumbnail(one.revision, one.picture.file)
            except (UnavailableError, PictureError) as error:
                one.reason, one.lost = str(error), isinstance(error, UnavailableError)

    @property
    def thumbnails(self) -> list[Thumbnail]:
        cards = (c for section in self.sections for group in section.groups for c in group.cards)
        return [one for card in cards for one in card.thumbnails]

    def html(self) -> str:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATE.parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        rows = per_class(*self._datasets, self._found)
        return environment.get_template(TEMPLATE.name).render(
            before=self._revisions[0],
            after=self._revisions[1],
            result=words.in_words(*self._datasets, self._found),
            notes=words.notes(*self._datasets, rows),
            table=words.table([row for row in rows if row.differs]),
            sections=self.sections,
            side=SIDE,
        )

    def _section(self, kind: str) -> Section | None:
        grouped = defaultdict(list)
        for one in self._found:
            if one.kind == kind:
                grouped[_group(one)].append(one)
        groups = [
            Group(title, len(members), [self._card(one) for one in members[: self._most]])
            for title, members in sorted(grouped.items())[:GROUPS]
        ]
        count = sum(map(len, grouped.values()))
        title, caption = TITLES[kind]
        unseen = len(grouped) - len(groups)
        return Section(kind, title, caption, count, groups, unseen) if count else None

    def _card(self, one: Difference) -> Card:
        before, after = self._revisions
        if one.kind == CHANGED:
            shown = [Thumbnail(before, one.before, "before"), Thumbnail(after, one.after, "after")]
        elif one.kind == REMOVED:
            shown = [Thumbnail(before, one.before)]
        else:
            shown = [Thumbnail(after, one.after)]
        lines = list(_lines(one))
        if one.after and (source := self._datasets[1].sources.get(one.after.file)):
            lines += [source[:SOURCE]] if one.kind in (ADDED, CHANGED) else []
        return Card(shown, lines)


def _group(one: Difference) -> str:
    if one.kind == RELABELLED:
        return f"{one.before.class_name} → {one.after.class_name}"
    if one.kind == MOVED:
        return _splits(one)
    return one.shown.class_name


def _splits(one: Difference) -> str:
    return f"{one.before.split or 'no split'} → {one.after.split or 'no split'}"


def _lines(one: Difference) -> Iterator[str]:
    """What stands below a picture: its name, what else happened to it, or why."""
    if one.kind == MOVED:
        yield one.shown.file  # its group is no class
        return
    names = {picture.file.partition("/")[2]: None for picture in (one.before, one.after) if picture}
    yield " → ".join(names)
    if one.before and one.after and one.before.split != one.after.split:
        yield _splits(one)
    if not (one.before and one.after):
        yield f"in {one.shown.split or 'no split'}"
    if one.reason:
        yield f"was {one.reason}" if one.kind == ADDED else one.reason
