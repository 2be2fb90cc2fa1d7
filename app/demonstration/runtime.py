"""ONNX Runtime Web: the npm package by which a browser runs a network, as parts of a page."""

from __future__ import annotations

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
WEBASSEMBLY = "package/dist/ort-wasm-simd-threaded.wasm"


class Runtime(NamedTuple):
    script: bytes  # a module of JavaScript
    webassembly: bytes


def runtime() -> Runtime:
    """From the user's cache, or fetched. Raises StudyError where it cannot be had."""
    archive = packages.from_npm(REQUIREMENT, INTEGRITY)
    try:
        with tarfile.open(archive) as packed:
            return Runtime(*(packed.extractfile(name).read() for name in (SCRIPT, WEBASSEMBLY)))
    except (tarfile.TarError, KeyError) as error:
        raise StudyError(f"{archive} is not the package {REQUIREMENT} ({error})") from None
