"""The pictures as Croissant metadata 1.0, which data loaders and search engines of data sets read.

http://mlcommons.org/croissant/1.0. Files are named as they lie beside data/croissant.json, so that
the folder data/ can be passed on as it is. Who publishes it adds what the study does not know:
`url`, `creator`, `datePublished` and `version`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.metadata.picture_table import ORIGIN, class_names, in_words, licence
from stages.statistics.scores import SPLITS
from stages.tables import Row

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT = {  # the specification's own
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
SPLIT_URLS = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
TABLE = "pictures.csv"
PIECE = 1 << 20  # bytes of a file read at once
URLS = ("licence_url", "page_url")  # of image_url, some name no place of the web
DESCRIPTIONS = {
    "file": "class folder and name",
    "class": "what it shows; one of the record set classes",
    "split": "what it is used for; one of the record set splits",
    "group": "near duplicates share one, and are in one split",
    "source": "where it was looked for",
    "title": "its own, or that of the collection it is from",
    "author": "whom to name",
    "licence": "SPDX name, where it is known",
    "licence_url": "text of the licence",
    "page_url": "page that shows it",
    "image_url": "the file it was made from",
}


def croissant(pictures: Sequence[Row], folder: Path) -> dict:
    """The metadata of the rows of `folder`/pictures.csv and of the pictures in `folder`/rgb."""
    classes = class_names(pictures)
    shards = sorted(folder.glob("rgb/*.zip"))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"{len(pictures)} pictures of {in_words(classes, most=5)}",
        "description": f"Pictures of {len(classes)} classes for image classification: RGB, as PNG, "
        "each with its split, group of near duplicates, licence and origin. Each has the licence "
        f"that {TABLE} names; those of this data set are all of these.",
        "license": sorted({licence(row) for row in pictures} - {""}),
        "keywords": ["image classification", *classes],
        "distribution": [_file(folder, TABLE, "text/csv", TABLE), *_images(folder, shards)],
        "recordSet": [
            _names("classes", "sc:Enumeration", [{"name": name} for name in classes]),
            _names("splits", "cr:Split", [{"name": n, "url": SPLIT_URLS[n]} for n in SPLITS]),
            {
                "@type": "cr:RecordSet",
                "@id": "pictures",
                "name": "pictures",
                "description": "one record for each picture",
                "key": {"@id": "pictures/file"},
                "field": list(_fields(bool(shards))),
            },
        ],
    }


def _file(folder: Path, name: str, kind: str, key: str) -> dict:
    path = folder / name
    return {
        "@type": "cr:FileObject",
        "@id": key,
        "name": path.name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": _sha256(path),
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _images(folder: Path, shards: Sequence[Path]) -> Iterator[dict]:
    """The pictures as one set of files, and before them the zip files that it is in, if any."""
    objects = [  # an @id has no spaces, a class's name may
        _file(
            folder, f"rgb/{shard.name}", "application/zip", f"shard-{number}"
        )  # no @id has spaces
        for number, shard in enumerate(shards)
    ]
    yield from objects
    inside = {"containedIn": [{"@id": shard["@id"]} for shard in objects]} if shards else {}
    yield {
        "@type": "cr:FileSet",
        "@id": "images",
        "name": "images",
        **inside,
        "encodingFormat": "image/png",
        "includes": "*/*.png" if shards else "rgb/*/*.png",
    }


def _names(name: str, kind: str, rows: Sequence[dict[str, str]]) -> dict:
    """A record set that is written out here: its records, each with the keys of the first."""
    types = {"name": "sc:Text", "url": "sc:URL"}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "dataType": kind,
        "key": {"@id": f"{name}/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{key}", "name": key, "dataType": types[key]}
            for key in rows[0]
        ],
        "data": [{f"{name}/{key}": value for key, value in row.items()} for row in rows],
    }


def _fields(in_shards: bool) -> Iterator[dict]:
    # A loose picture's path begins with its folder, of which the table knows nothing.
    path = {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "fullpath"}}
    if not in_shards:
        path["transform"] = {"regex": "(?:rgb/)?(.+)"}
    yield _field("file", "sc:Text", path) | {"references": _column("file")}
    content = {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "content"}}
    yield _field("image", "sc:ImageObject", content) | {"description": "the picture"}
    label = _field("class", ["sc:Text", "cr:Label"], _column("class"))
    yield label | {"references": {"field": {"@id": "classes/name"}}}
    split = _field("split", ["sc:Text", "cr:Split"], _column("split"))
    yield split | {"references": {"field": {"@id": "splits/name"}}}
    yield _field("group", "sc:Integer", _column("group"))
    for name in ORIGIN:
        yield _field(name, "sc:URL" if name in URLS else "sc:Text", _column(name))


def _field(name: str, kind: str | list[str], source: dict) -> dict:
    return {
        "@type": "cr:Field",
        "@id": f"pictures/{name}",
        "name": name,
        "description": DESCRIPTIONS.get(name, ""),
        "dataType": kind,
        "source": source,
    }


def _column(name: str) -> dict:
    return {"fileObject": {"@id": TABLE}, "extract": {"column": name}}
