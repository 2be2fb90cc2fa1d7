"""Pictures that are already there: a folder with one subfolder for each class, or a CSV file.

The list has columns class and file, and what is known of a picture beside it, named as in the
manifest; the files are seen from the list's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from unicodedata import normalize

from PIL import Image

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import RESERVE, Picture
from stages.sources.listing import lines

KNOWN = ("page_url", "title", "author", "licence", "licence_url")


def pictures(
    classes: Mapping[str, Class], settings: Scrape, known: Collection[str] = ()
) -> Iterator[Picture]:
    """The image files of each class by name, or in their list's order, their bytes as they are."""
    root = Path(settings.folder)
    for class_name, wanted in classes.items():
        taken: set[str] = set()
        rows = (_listed if root.is_file() else _image_files)(root, class_name)
        for path, row in rows[: wanted.per_class + RESERVE]:
            yield Picture(
                class_name=class_name,
                name=_unique(path.name, taken),
                data=path,
                source="folder",
                query="",
                image_url=row.get("image_url") or f"folder:{class_name}/{path.name}",
                **{name: row.get(name, "") for name in KNOWN},
            )


def _image_files(root: Path, class_name: str) -> list[tuple[Path, dict[str, str]]]:
    """Sorted files with an image format's suffix; not the hidden ones, and none from elsewhere."""
    found = (path for path in sorted(root.glob("*")) if path.is_dir())
    # macOS writes an accent as a mark of its own, so that names can differ and look the same.
    folder = next((path for path in found if normalize("NFC", path.name) == class_name), None)
    if folder is None:
        raise StudyError(
            f"{root} has no folder {class_name}: scrape.folder needs one for every class"
        )
    Image.init()  # else Pillow knows the suffixes of its five common formats only
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in Image.registered_extensions()
        and not path.name.startswith(".")
        and path.is_file()
    ]
    if not files:
        raise StudyError(f"{folder} has no image files: class {class_name} needs some")
    for path in files:
        if not path.resolve().is_relative_to(root.resolve()):
            raise StudyError(f"{path} is a link to a file outside {root}: copy the file there")
    return [(path, {}) for path in files]


def _listed(root: Path, class_name: str) -> list[tuple[Path, dict[str, str]]]:
    """The files that a list names, seen from its own folder, each once."""
    rows = {row["file"].strip(): row for row in lines(root, "file", class_name)}
    if not rows:
        raise StudyError(f"{root} has no line of class {class_name}: it needs some of each")
    home = root.parent
    for name in rows:
        if not (home / name).is_file():
            raise StudyError(f"{root} lists {name}, which is no file beside it or below")
        if not (home / name).resolve().is_relative_to(home.resolve()):
            raise StudyError(f"{root} lists {name}, which is outside {home}: copy the file there")
    return [(home / name, row) for name, row in rows.items()]


def _unique(name: str, taken: set[str]) -> str:
    """The name in plain letters, numbered where two files become one; remembered in `taken`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    stem, dot, suffix = plain.rpartition(".")
    number = 1
    # Without case: on some disks A.png and a.png are one file.
    while plain.lower() in taken:
        number += 1
        plain = f"{stem}-{number}{dot}{suffix}" if dot else f"{suffix}-{number}"
    taken.add(plain.lower())
    return plain
