"""ONNX Runtime Web: the npm package by which a browser runs a network, as parts of a page."""

from __future__ import annotations

import re
import tarfile
from typing import NamedTuple

from stages.errors import StudyError
from stages.web import packages

REQUIREMENT = "onnxruntime-web@1.30.0"
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3j"
    "L02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
SCRIPT = "package/dist/ort.wasm.bundle.min.mjs"
CODE = "package/dist/ort-wasm-simd-threaded.wasm"
EXPORTS = re.compile(r"export\{(?P<names>[\w$ ,]+)\};\s*(//# sourceMappingURL=\S+\s*)?$")


class Runtime(NamedTuple):
    script: str  # a module that makes `ort`
    code: bytes  # its WebAssembly


def runtime() -> Runtime:
    """From the user's cache, or fetched. Raises StudyError where it cannot be had."""
    archive = packages.from_npm(REQUIREMENT, INTEGRITY)
    try:
        with tarfile.open(archive) as packed:
            script, code = (packed.extractfile(name).read() for name in (SCRIPT, CODE))
        return Runtime(with_global(script.decode()), code)
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise StudyError(f"{archive} is not the package {REQUIREMENT} ({error})") from None


def with_global(script: str) -> str:
    """A module whose exports are in `globalThis.ort`: a page cannot import from a part of itself.

    Raises ValueError for one that does not end in its exports.
    """
    end = EXPORTS.search(script)
    if not end:
        raise ValueError("its script exports nothing")
    names = (name.strip().split(" as ") for name in end["names"].split(","))
    fields = ", ".join(f"{shown}: {own}" for own, shown in names)
    return f"{script[: end.start()]}globalThis.ort = {{{fields}}};\n"
