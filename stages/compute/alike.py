"""What decides the bytes that a machine makes, and that the machines of a cluster agree in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from stages.errors import StudyError
from stages.runtime import fingerprints, processors

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Facts:
    """What decides bytes on a machine, beside code and inputs; `words` is for its user."""

    instructions: str
    packages: Mapping[str, str]
    words: str


def packages() -> list[str]:
    """The project's own that make bytes."""
    pins = fingerprints.locked((PROJECT / fingerprints.LOCK).read_text(encoding="utf-8"))
    ours = {name for name, pin in pins.items() if fingerprints.OURS in pin.asked_by}
    return sorted(ours - fingerprints.PACKAGES_WITHOUT_EFFECT)


def facts(packages: Sequence[str]) -> Facts:
    """Of the machine that calls it; a package that it has not is at version ""."""
    versions = {name: _version(name) for name in packages}
    return Facts(processors.instructions(), versions, processors.in_words())


def require(here: Facts, nodes: Mapping[str, Facts]) -> None:
    """Raises StudyError where a node would round otherwise than this machine."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, node in [("this machine", here), *nodes.items()]:
        kinds[node.instructions, node.words].append(name)
        if node.instructions == here.instructions and node.packages != here.packages:
            package = next(p for p in here.packages if node.packages[p] != here.packages[p])
            raise StudyError(
                f"compute: {name} has {package} {node.packages[package] or 'not at all'}, this "
                f"machine {here.packages[package]}: install requirements.txt on both"
            )
    if len({instructions for instructions, _ in kinds}) > 1:
        listed = "; ".join(f"{words}: {', '.join(names)}" for (_, words), names in kinds.items())
        raise StudyError(
            f"compute: processors of several kinds round otherwise ({listed}): give nodes of this "
            "machine's kind a resource (`ray start --resources`), and name it in compute.resource"
        )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
