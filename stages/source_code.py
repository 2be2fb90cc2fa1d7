"""The code of the chosen sources, as hashes that stage `scrape` depends on.

To search the web again gives other pictures, so a change to one source must scrape nothing anew
from another. DVC has no place for a list, `scrape.source`, among a stage's dependencies: this
stage runs when any source changes, and what it writes changes when a chosen one does.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from stages.errors import run
from stages.params import load
from stages.tables import write_table

# They check, complain or look up names, and change no output (tests/test_discipline.py).
WITHOUT_EFFECT = {"stages.errors", "stages.params", "stages.sources"}


def main() -> None:
    source = load("scrape.source").scrape.source
    chosen = [source] if isinstance(source, str) else source
    files = sorted({file for name in chosen for file in code_of(f"stages.sources.{name}")})
    rows = [{"file": file, "sha256": sha256(Path(file))} for file in files]
    write_table("data/source_code.csv", ["file", "sha256"], rows)


def code_of(module: str) -> set[str]:
    """The project's files whose code a module runs, seen from the project's folder."""
    found: dict[str, str] = {}
    open_ = [module]
    while open_:
        name = open_.pop()
        file = file_of(name)
        if file is None or name in found or name in WITHOUT_EFFECT:
            continue
        found[name] = file.as_posix()
        open_ += imported(file)
    return set(found.values())


def file_of(module: str) -> Path | None:
    path = Path(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def imported(file: Path) -> list[str]:
    """All names that may be modules of the project: what is none has no file."""
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("stages.")]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    run(main)
