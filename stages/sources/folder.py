"""Pictures that are already there: a folder with one subfolder for each class, or with a list.

The list is `pictures.csv` in the folder itself: columns class and file, and what is known of a
picture beside it, named as in the manifest. Whatever is no picture is missed for a reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from unicodedata import normalize

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.pictures.formats import FORMATS, NoPictureError, describe
from stages.sources import RESERVE, Missed, Picture
from stages.sources.listing import lines

LIST = "pictures.csv"
KNOWN = ("page_url", "title", "author", "licence", "licence_url")
SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}  # as are hidden files
MAX_MEGABYTES = 500  # of one file
LONGEST = 100  # letters of a name


class NotTakenError(Exception):
    """A file that is no picture of this folder; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pictures(
    classes: Mapping[str, Class], settings: Scrape, known: Collection[str] = ()
) -> Iterator[Picture | Missed]:
    """The files of each class by name, or in their list's order, their bytes as they are."""
    root = Path(settings.folder)
    if not root.is_dir():
        remedy = f"name its folder, and call the list {LIST}" if root.is_file() else "name one"
        raise StudyError(f"scrape.folder is {root}, which is no folder: {remedy}")
    listed = (root / LIST).is_file()
    for class_name, wanted in classes.items():
        files, hidden = (_listed if listed else _walked)(root, class_name)
        if hidden:
            yield _missed(root, root / class_name, class_name, "hidden", hidden)
        yield from _of_class(root, class_name, files, wanted.per_class + RESERVE, set(known))


def _of_class(
    root: Path, class_name: str, files: Mapping[Path, dict], wanted: int, seen: set[str]
) -> Iterator[Picture | Missed]:
    """Files up to so many different pictures, in their order; how many more there are."""
    taken: set[str] = set()
    different = 0
    for number, (path, row) in enumerate(files.items()):
        if different == wanted:
            rest = len(files) - number
            yield _missed(root, root / class_name, class_name, "not_needed", rest)
            return
        try:
            data = _content(path, root)
            kind, _, _ = describe(data)
        except (NotTakenError, NoPictureError) as error:
            yield _missed(root, path, class_name, error.reason)
            continue
        digest = hashlib.sha256(data).hexdigest()
        different += digest not in seen
        seen.add(digest)
        yield Picture(
            class_name=class_name,
            name=_unique(path.name, kind, taken),
            data=data,
            source="folder",
            query="",
            image_url=row.get("image_url") or _origin(root, path),
            **{name: row.get(name, "") for name in KNOWN},
        )


def _walked(root: Path, class_name: str) -> tuple[dict[Path, dict], int]:
    """All files of a class's folder and the folders in it, sorted; how many hidden ones beside."""
    # macOS writes an accent as a mark of its own, so that names can differ and look the same.
    homes = (path for path in sorted(root.iterdir()) if normalize("NFC", path.name) == class_name)
    home = next((path for path in homes if path.is_dir()), None)
    if home is None:
        raise StudyError(
            f"{root} has no folder {class_name}: scrape.folder needs one for every class, "
            f"or a list of all files, {LIST}"
        )
    found, hidden = [], 0
    for folder, below, files in os.walk(home):
        inside = [name for name in below if not _hidden(name)]
        links = [name for name in inside if Path(folder, name).is_symlink()]  # they may go round
        shown = [*links, *(name for name in files if not _hidden(name))]
        hidden += len(below) + len(files) - len(inside) - len(shown) + len(links)
        below[:] = inside
        found += [Path(folder, name) for name in shown]
    if not found:
        raise StudyError(f"{home} has no files: class {class_name} needs some")
    return {path: {} for path in sorted(found)}, hidden


def _listed(root: Path, class_name: str) -> tuple[dict[Path, dict], int]:
    """The files that the list names, seen from its own folder, each once."""
    list_ = root / LIST
    rows = {row["file"].strip(): row for row in lines(list_, "file", class_name)}
    if not rows:
        raise StudyError(f"{list_} has no line of class {class_name}: it needs some of each")
    for name in rows:
        if not (root / name).is_file():
            raise StudyError(f"{list_} lists {name}, which is no file beside it or below")
        if not (root / name).resolve().is_relative_to(root.resolve()):
            raise StudyError(f"{list_} lists {name}, which is outside {root}: copy the file there")
    return {root / name: row for name, row in rows.items()}, 0


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def _content(path: Path, root: Path) -> bytes:
    """A file's bytes. Raises NotTakenError for what is no plain file of this folder."""
    try:
        place = path.resolve(strict=True)
        if not place.is_relative_to(root.resolve()):
            raise NotTakenError("link_outside")
        if place.is_dir():
            raise NotTakenError("link_to_folder")
        if not place.is_file():  # a pipe would never end
            raise NotTakenError("not_a_file")
        if place.stat().st_size > MAX_MEGABYTES * 1_000_000:
            raise NotTakenError("too_large")
        return place.read_bytes()
    except PermissionError:
        raise NotTakenError("unreadable") from None
    except (FileNotFoundError, RuntimeError):  # the latter, and an OSError: links in a circle
        raise NotTakenError("broken_link") from None


def _missed(root: Path, path: Path, class_name: str, reason: str, files: int = 1) -> Missed:
    facts = dict.fromkeys(("query", *KNOWN), "")
    origin = _origin(root, path)
    return Missed(class_name, "folder", image_url=origin, reason=reason, files=files, **facts)


def _origin(root: Path, path: Path) -> str:
    """The file within the folder; bytes of its name that are no UTF-8 as %E9."""
    name = path.relative_to(root).as_posix()
    return "folder:" + re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)


def _unique(name: str, kind: str, taken: set[str]) -> str:
    """The name in plain letters, with a suffix of its format, numbered where two become one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    stem, dot, suffix = plain.rpartition(".")
    if f".{suffix.lower()}" not in FORMATS[kind].suffixes:
        stem, dot, suffix = plain, ".", FORMATS[kind].suffixes[0][1:]
    stem = stem[:LONGEST]
    plain, number = f"{stem}{dot}{suffix}", 1
    # Without case: on some disks A.png and a.png are one file.
    while plain.lower() in taken:
        number += 1
        plain = f"{stem}-{number}{dot}{suffix}"
    taken.add(plain.lower())
    return plain
