"""Which small changes of the code do the tests see?

    python -m benchmarks.mutants [room or file …] [--sample 300]

A mutant is one file changed in one place: another number, operator or comparison, a condition
turned round, a call, a `raise` or a result left out (`sites`). The tests that name the file's
module run on it, and it is seen where one of them fails or does not end. Prints the mutants that
none has seen. Of these some are equivalent: they do the same, and no test could tell.

Where a room has more mutants than --sample, so many are drawn at random (seed 0). Two run at a
time, each in a copy of the working tree and in a fork of this process, which has the packages
imported.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tqdm import tqdm

# The tests of a room are those of its own folder, and these. Whole stages would take minutes.
ROOMS = {"statistics": (), "pictures": (), "web": ("tests/networks/test_publishers.py",)}
PACKAGES = (
    *("PIL.Image", "cleanlab.filter", "cryptography.x509", "hypothesis.strategies", "imagehash"),
    *("matplotlib.font_manager", "pydantic", "scipy.stats", "sklearn.model_selection"),
    *("statsmodels.stats.multitest", "urllib3", "yaml"),
)
AT_ONCE = 2
LIMIT = 300  # seconds; longer is for ever
UNSEEN = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

SWAPS = {
    **{ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult]},
    **{ast.FloorDiv: [ast.Div], ast.Mod: [ast.Mult], ast.Pow: [ast.Mult]},
    **{ast.LShift: [ast.RShift], ast.RShift: [ast.LShift]},
    **{ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd], ast.BitXor: [ast.BitOr]},
    **{ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt]},
    **{ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt]},
    **{ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In]},
    **{ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.And: [ast.Or], ast.Or: [ast.And]},
}
NOT_RUN = ("annotation", "returns", "decorator_list")
Change = Callable[[], ast.AST]  # makes it in the tree; what stands there then


@dataclass(frozen=True)
class Mutant:
    file: Path
    original: str
    text: str
    told: str  # file:line: before → after


@dataclass
class Worker:
    """A copy of the working tree, and what runs in it."""

    tree: Path
    mutant: Mutant | None = None
    process: int = 0
    ends: float = 0.0


def main(targets: Sequence[str], sample: int) -> None:
    for name in PACKAGES:
        importlib.import_module(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends what was started, too
    gc.freeze()  # pytest collects garbage at its end
    for target in targets:
        path = Path("stages", target) if target in ROOMS else Path(target)
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        every = [mutant for file in files for mutant in mutants(file)]
        require_passing(files)
        drawn = random.Random(0).sample(every, min(len(every), sample))
        started, missed = time.monotonic(), []
        for mutant, seen in tqdm(outcomes(drawn), target, len(drawn), unit="mutant", disable=None):
            if not seen:
                missed.append(mutant)
                print(mutant.told, flush=True)
        print(
            f"{target}: {len(drawn)} of {len(every)} mutants, {len(drawn) - len(missed)} seen, "
            f"{len(missed)} missed; {time.monotonic() - started:.0f} s",
            flush=True,
        )


def require_passing(files: Sequence[Path]) -> None:
    texts = [(file, file.read_text(encoding="utf-8")) for file in files]
    unchanged = [Mutant(file, text, text, str(file)) for file, text in texts]
    for mutant, seen in outcomes(unchanged):
        if seen:
            raise SystemExit(f"{mutant.told}: its tests fail as it is")


def mutants(file: Path) -> Iterator[Mutant]:
    """All of a file."""
    source = file.read_text(encoding="utf-8")
    for number in range(len(list(sites(ast.parse(source))))):
        tree = ast.parse(source)
        node, change = list(sites(tree))[number]
        before = ast.unparse(node).splitlines()[0]
        after = ast.unparse(change()).splitlines()[0]
        yield Mutant(file, source, ast.unparse(tree), f"{file}:{_line(node)}: {before}  →  {after}")


def sites(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """Every place to change, and the change."""
    for name, value in ast.iter_fields(tree):
        if name in NOT_RUN or getattr(tree, "arg", None) == "strict":  # which asserts, of zip
            continue
        for place, node in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(node, ast.AST):
                put = _putter(tree, name, place if isinstance(value, list) else None)
                yield from ((node, change) for change in _changes(node, put))
                yield from sites(node)


def _putter(parent: ast.AST, name: str, place: int | None) -> Callable[[ast.AST], ast.AST]:
    def put(new: ast.AST) -> ast.AST:
        if place is None:
            setattr(parent, name, new)
        else:
            getattr(parent, name)[place] = new
        return new

    return put


def _changes(node: ast.AST, put: Callable[[ast.AST], ast.AST]) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool()):
            yield lambda: put(ast.Constant(not node.value))
        case ast.Constant(value=int() | float()):
            yield lambda: put(ast.Constant(node.value + 1))
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            for swap in SWAPS.get(type(node.op), []):
                yield lambda swap=swap: _set(node, op=swap())
        case ast.Compare():
            for place, op in enumerate(node.ops):
                for swap in SWAPS[type(op)]:
                    ops = [*node.ops[:place], swap(), *node.ops[place + 1 :]]
                    yield lambda ops=ops: _set(node, ops=ops)
        case ast.UnaryOp():
            yield lambda: put(node.operand)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if _plain(test):
            yield lambda: _set(node, test=ast.UnaryOp(ast.Not(), test)).test
        case ast.comprehension(ifs=[test]) if _plain(test):
            yield lambda: _set(node, ifs=[ast.UnaryOp(ast.Not(), test)]).ifs[0]
        case ast.Break():
            yield lambda: put(ast.Continue())
        case ast.Continue():
            yield lambda: put(ast.Break())
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield lambda: put(ast.Pass())
        case ast.Return(value=ast.AST()):
            yield lambda: put(ast.Return(ast.Constant(None)))


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _line(node: ast.AST) -> int:
    return next(part.lineno for part in ast.walk(node) if hasattr(part, "lineno"))


def _plain(test: ast.expr) -> bool:
    """Whether a condition is not turned round by a change of its own."""
    return not isinstance(test, (ast.Compare, ast.UnaryOp))


def outcomes(drawn: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant and whether a test saw it, as they end."""
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(copied(Path(folder, str(number)))) for number in range(AT_ONCE)]
        left = list(reversed(drawn))
        try:
            while left or any(worker.mutant for worker in workers):
                for worker in workers:
                    if worker.mutant and (code := ended(worker)) is not None:
                        yield worker.mutant, code not in UNSEEN
                        worker.mutant = None
                    if left and not worker.mutant:
                        start(worker, left.pop())
                time.sleep(0.02)
        finally:
            for worker in workers:
                if worker.mutant:
                    kill(worker.process)


def copied(tree: Path) -> Path:
    """The files of the working tree that Git does not ignore, elsewhere."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, tree / name)
    return tree


def start(worker: Worker, mutant: Mutant) -> None:
    """Run the tests on a mutant in a process group of its own."""
    worker.mutant, worker.ends = mutant, time.monotonic() + LIMIT
    worker.process = os.fork()
    if not worker.process:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = pytest.ExitCode.INTERNAL_ERROR
        try:
            os.chdir(worker.tree)
            write(mutant.file, mutant.text)
            code = tested(mutant.file)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def ended(worker: Worker) -> int | None:
    """The exit code of a worker's process, which leaves its tree as it was."""
    late = time.monotonic() > worker.ends
    if late:
        kill(worker.process)
    process, status = os.waitpid(worker.process, 0 if late else os.WNOHANG)
    if not process:
        return None
    kill(worker.process)  # what its tests have started
    write(worker.tree / worker.mutant.file, worker.mutant.original)
    return os.waitstatus_to_exitcode(status)


def write(file: Path, text: str) -> None:
    """And forget its bytecode, which may be of another text as long and of the same second."""
    file.write_text(text, encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


def kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def tested(file: Path) -> int:
    """pytest's exit code in the present folder."""
    sys.path[0] = os.getcwd()
    for name in [name for name in sys.modules if re.match(r"(stages|tests)\b", name)]:
        del sys.modules[name]  # of the working tree, through benchmarks/__init__.py
    # Plugins, of which the tests need none, take longer to import than all the rest.
    os.environ |= {"PYTHONPATH": os.getcwd(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with Path(".log").open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    tests = tests_of(file)
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={os.getcwd()}/.tmp"]
    return pytest.main([*options, *tests]) if tests else pytest.ExitCode.NO_TESTS_COLLECTED


def tests_of(file: Path) -> list[str]:
    """Files of tests that name a module, or are of a file that does; its own one first."""
    room = file.parent.name
    own = Path("tests", room, f"test_{file.name}")
    near = sorted(Path("tests", room).glob("test_*.py"), key=lambda path: (path != own, path))
    named = re.compile(rf"\b{file.stem}\b")

    def concerned(test: Path) -> bool:
        tested = Path("stages", *test.parts[1:-1], test.name.removeprefix("test_"))
        return any(
            part.exists() and named.search(part.read_text("utf-8")) for part in (test, tested)
        )

    return [str(test) for test in (*near, *map(Path, ROOMS.get(room, ()))) if concerned(test)]


if __name__ == "__main__":
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("targets", nargs="*", default=list(ROOMS), metavar="room or file")
    reading.add_argument("--sample", type=int, default=300)
    main(**vars(reading.parse_args()))
