"""Which pictures differ between two data sets, and how: each in exactly one way.

A picture is known by its content, the sha256 of the file as it was found, then by its name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.differences.revisions import LOCK, RGB, Revision
from stages.runtime.committed import stages

RELABELLED, CHANGED, ADDED, REMOVED = "relabelled", "changed", "added", "removed"
MOVED, RENAMED = "moved", "renamed"
KINDS = (RELABELLED, CHANGED, ADDED, REMOVED, MOVED, RENAMED)  # what a reviewer looks at first
COLUMNS = ("file", "class", "status", "reason", "sha256", "image_url")


class Picture(NamedTuple):
    """A picture of the study; `split` is empty for one that is in none."""

    class_name: str
    file: str  # in data/rgb
    sha256: str
    split: str


@dataclass(frozen=True)
class Dataset:
    """The pictures of a revision, each file once."""

    name: str
    pictures: Sequence[Picture]
    left_out: dict[str, str] = field(default_factory=dict)  # sha256 → why it is not in the study
    sources: dict[str, str] = field(default_factory=dict)  # file → where it was found
    conversion: dict[str, object] = field(default_factory=dict)  # `rgb` of the parameters


@dataclass(frozen=True, slots=True)
class Difference:
    """One picture: `before` is None for one that is added, `after` for one that is removed."""

    kind: str  # of KINDS
    before: Picture | None
    after: Picture | None
    reason: str = ""  # of one added or removed: why it was, or now is, left out

    @property
    def shown(self) -> Picture:
        return self.after or self.before


@dataclass
class ClassCount:
    """What becomes of the pictures of a class.

    after = before - removed - relabelled_out + added + relabelled_in.
    """

    name: str
    before: int = 0
    after: int = 0
    added: int = 0
    removed: int = 0
    relabelled_in: int = 0  # to this class
    relabelled_out: int = 0  # from this class
    changed: int = 0
    moved: int = 0
    renamed: int = 0

    @property
    def differs(self) -> bool:
        parts = (self.added, self.removed, self.relabelled_in, self.relabelled_out)
        return any((*parts, self.changed, self.moved, self.renamed))


def read_dataset(revision: Revision) -> Dataset:
    """Raises StudyError where the revision has no pictures, or its tables cannot be had."""
    splits = dict(revision.table("data/split.csv", "file", "split"))
    pictures, left_out, sources = [], {}, {}
    for file, name, status, reason, sha256, url in revision.table(f"{RGB}/manifest.csv", *COLUMNS):
        if status == "kept":
            pictures.append(Picture(name, file, sha256, splits.get(file, "")))
            sources[file] = url
        else:
            left_out[sha256] = f"{status}: {reason}"
    return Dataset(str(revision), pictures, left_out, sources, _conversion(revision))


def differences(before: Dataset, after: Dataset) -> list[Difference]:
    """Every picture that is not the same in both, in the order of KINDS, then of class and file.

    The mirror of `differences(after, before)`: where several pictures have the same content, those
    of the same name belong together, then those of the same class, then any.
    """
    one, other = Counter(before.pictures), Counter(after.pictures)
    pairs, old, new = [], sorted((one - other).elements()), sorted((other - one).elements())
    for key in (_content_and_file, _content_and_class, _content, _file):
        matched, old, new = _match(old, new, key)
        pairs += matched
    found = [Difference(_kind(*pair), *pair) for pair in pairs]
    found += [Difference(REMOVED, gone, None, after.left_out.get(gone.sha256, "")) for gone in old]
    found += [Difference(ADDED, None, come, before.left_out.get(come.sha256, "")) for come in new]
    return sorted(found, key=lambda one: (KINDS.index(one.kind), one.shown))


def per_class(before: Dataset, after: Dataset, found: Iterable[Difference]) -> list[ClassCount]:
    """A count for each class of either, by name."""
    befores, afters = (Counter(one.class_name for one in d.pictures) for d in (before, after))
    names = sorted(befores.keys() | afters.keys())
    counts = {name: ClassCount(name, befores[name], afters[name]) for name in names}
    for one in found:
        if one.kind == RELABELLED:
            counts[one.before.class_name].relabelled_out += 1
            counts[one.after.class_name].relabelled_in += 1
        else:
            count = counts[one.shown.class_name]
            setattr(count, one.kind, getattr(count, one.kind) + 1)
    return list(counts.values())


def _kind(before: Picture, after: Picture) -> str:
    if before.class_name != after.class_name:
        return RELABELLED
    if before.sha256 != after.sha256:
        return CHANGED
    return RENAMED if before.split == after.split else MOVED


def _match(
    old: list[Picture], new: list[Picture], key: Callable[[Picture], Hashable]
) -> tuple[list[tuple[Picture, Picture]], list[Picture], list[Picture]]:
    """Pairs of equal keys, in order, and what is left of each side."""
    waiting = defaultdict(list)
    for picture in reversed(new):
        waiting[key(picture)].append(picture)
    pairs, left = [], []
    for picture in old:
        same = waiting.get(key(picture))
        if same:
            pairs.append((picture, same.pop()))
        else:
            left.append(picture)
    return pairs, left, sorted(picture for same in waiting.values() for picture in same)


def _content_and_file(picture: Picture) -> tuple[str, str]:
    return picture.sha256, picture.file


def _content_and_class(picture: Picture) -> tuple[str, str]:
    return picture.sha256, picture.class_name


def _content(picture: Picture) -> str:
    return picture.sha256


def _file(picture: Picture) -> str:
    return picture.file


def _conversion(revision: Revision) -> dict[str, object]:
    """The settings by which the stage to_rgb made the pictures, of dvc.lock."""
    if not revision.has(LOCK):
        return {}
    made = stages(revision.read(LOCK).decode("utf-8")).get("to_rgb", {})
    return made.get("params", {}).get("params.yaml", {}).get("rgb", {})
