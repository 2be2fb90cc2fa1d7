"""Pictures that are already there: a folder with one subfolder for each class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image

from stages.errors import StudyError
from stages.params import Class, Scrape
from stages.sources import RESERVE, Picture


def pictures(classes: Mapping[str, Class], settings: Scrape) -> Iterator[Picture]:
    """The image files of each class's subfolder by name, their bytes as they are."""
    root = Path(settings.folder)
    for class_name in classes:
        taken: set[str] = set()
        for path in _image_files(root, class_name)[: settings.per_class + RESERVE]:
            yield Picture(
                class_name=class_name,
                name=_unique(path.name, taken),
                data=path,
                source="folder",
                query="",
                image_url=f"folder:{class_name}/{path.name}",
                page_url="",
                title="",
                author="",
                licence="",
                licence_url="",
            )


def _image_files(root: Path, class_name: str) -> list[Path]:
    """Sorted files with an image format's suffix; not the hidden ones, and none from elsewhere."""
    folder = root / class_name
    if not folder.is_dir():
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
    return files


def _unique(name: str, taken: set[str]) -> str:
    """The name in plain letters, numbered where two files become one; remembered in `taken`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    stem, _, suffix = plain.rpartition(".")
    number = 1
    # Without case: on some disks A.png and a.png are one file.
    while plain.lower() in taken:
        number += 1
        plain = f"{stem}-{number}.{suffix}"
    taken.add(plain.lower())
    return plain
