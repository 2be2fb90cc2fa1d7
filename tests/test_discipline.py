"""The house's rules, checked by machine: what a stage declares is what it uses, and no more."""

import ast
import itertools
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from stages import figures, repeat, source_code, sources, zoo

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OUTPUTS = ("outs", "metrics", "plots")

# Functions that import by name, which cannot be read from their code: a stage that calls one needs
# the file of its network, every figure, and the hashes of its sources' code.
LOOKUPS = {"stages.zoo": "lookup", "stages.sources": "lookup", "stages.figures": "figure"}
CHOICES = {"${models}": zoo.NAMES, "${evaluate.repeats}": ("1",)}
SOURCE_CODE = "data/source_code.csv"  # stands for the files of the chosen sources

LONGEST = {"stages/params.py": 450}  # grows with what can be chosen
LONG = 250

# What checks, complains or looks up a name cannot change a byte of an output: no stage depends on
# it, so that a better message does not train four networks again.
WITHOUT_EFFECT = {
    "stages/errors.py",
    "stages/params.py",
    "stages/shortage.py",
    "stages/sources/__init__.py",
    "stages/zoo/__init__.py",
}

# Stands for the values it gives, which DVC watches one by one: what it imports to check them (the
# names of all networks and sources) is not followed.
PARAMS = "stages.params"


def variants(stage: dict) -> list[dict[str, str]]:
    """Every combination of network, phase and seed that a stage may run for."""
    choices = {
        key: CHOICES[value] if isinstance(value, str) else value
        for key, value in stage.get("matrix", {}).items()
    }
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


def filled_in(text: str, variant: dict[str, str]) -> str:
    for key, value in variant.items():
        text = text.replace(f"${{item.{key}}}", value)
    assert "${" not in text, f"{text}: no choices known for this"
    return text


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(source_file(module).read_text())


def source_file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    found = [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]
    return found[0] if found else None


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from executed(child)


def imported(module: str) -> set[str]:
    """The project's modules that a module imports, in functions too, and their packages."""
    names = set()
    for node in executed(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    modules = {name for name in names if name.startswith("stages.") and source_file(name)}
    return modules | {name.rpartition(".")[0] for name in modules if name.count(".") > 1}


def looked_up(module: str, variant: dict[str, str]) -> set[str]:
    """The modules that a module has imported for it, by `zoo.lookup` and its like."""
    calls = {ast.unparse(n.func) for n in executed(tree(module)) if isinstance(n, ast.Call)}
    found = set()
    for package, function in LOOKUPS.items():
        short = package.rpartition(".")[2]
        if f"{short}.{function}" in calls or (function in calls and package in imported(module)):
            found |= {f"{package}.{name}" for name in looked_for(package, variant)}
    return found


def looked_for(package: str, variant: dict[str, str]) -> tuple[str, ...]:
    if package == "stages.figures":
        return figures.NAMES
    if package == "stages.sources":
        return ()  # see test_the_hashes_of_code_are_those_of_all_that_a_source_runs
    assert "model" in variant, f"{package}.lookup is called; dvc.yaml does not say for which model"
    return (variant["model"],)


def needed(stage: str, variant: dict[str, str]) -> set[str]:
    """The project's files whose code a stage runs."""
    modules = [f"stages.{name}" for name in (stage, *started(stage))]
    if stage == "source_code":  # reads them
        modules += [f"stages.sources.{name}" for name in sources.NAMES]
    return files_run(modules, variant)


def started(stage: str) -> set[str]:
    """The stages that a stage runs as programs, for a study of another seed."""
    return {words[0] for words in repeat.programs("any")} if stage == "repeat" else set()


def files_run(modules: list[str], variant: dict[str, str]) -> set[str]:
    found, open_ = set(), modules
    while open_:
        module = open_.pop()
        if module in found:
            continue
        found.add(module)
        if module != PARAMS:
            open_ += imported(module)
            open_ += looked_up(module, variant)
    with_code = {module for module in found if len(tree(module).body) > 1}
    files = {str(source_file(module).relative_to(ROOT)) for module in with_code}
    return files - WITHOUT_EFFECT


def declared(stage: dict, variant: dict[str, str]) -> set[str]:
    """The project's files that a stage depends on; a folder stands for all its files."""
    paths = [filled_in(path, variant) for path in stage.get("deps", [])]
    folders = tuple(f"{path}/" for path in paths if (ROOT / path).is_dir())
    return {file for file in files_of_stages() if file in paths or file.startswith(folders)}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_files_it_runs(name):
    stage = STAGES[name]
    forgotten, listed, used = set(), set(), set()
    for variant in variants(stage):
        one_listed = {file for file in declared(stage, variant) if file.endswith(".py")}
        one_used = needed(name, variant)
        forgotten |= {as_written(path, variant) for path in one_used - one_listed}
        # A part that only some networks or sources need is listed for all: dvc.yaml has no `if`.
        listed |= one_listed
        used |= one_used
    assert not forgotten, f"dvc.yaml, deps of {name}: add {sorted(forgotten)}"
    assert not listed - used, f"dvc.yaml, deps of {name}: remove {sorted(listed - used)}"


def as_written(path: str, variant: dict[str, str]) -> str:
    """A path as it stands in dvc.yaml: the file of the network chosen has a place."""
    if path == f"stages/zoo/{variant.get('model')}.py":
        return "stages/zoo/${item.model}.py"
    return path


@pytest.mark.parametrize("name", sources.NAMES)
def test_the_hashes_of_code_are_those_of_all_that_a_source_runs(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = source_code.code_of(f"stages.sources.{name}")
    with_code = {file for file in found if has_content(file)}
    assert with_code == files_run([f"stages.sources.{name}"], {}) - WITHOUT_EFFECT
    others = {f"stages/sources/{other}.py" for other in sources.NAMES if other != name}
    assert not found & others


def test_a_stage_that_looks_up_sources_depends_on_their_code():
    for name, stage in STAGES.items():
        calls = "stages.sources" in imported(f"stages.{name}") and "lookup(" in source_text(
            f"stages.{name}"
        )
        assert calls == (SOURCE_CODE in stage.get("deps", []))


@pytest.mark.parametrize("name", [n for n in STAGES if "model" in STAGES[n].get("matrix", {})])
def test_a_stage_of_a_network_depends_on_no_other_network(name):
    for variant in variants(STAGES[name]):
        others = {f"stages/zoo/{n}.py" for n in zoo.NAMES if n != variant["model"]}
        assert not declared(STAGES[name], variant) & others
        assert not needed(name, variant) & others


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_parameters_it_loads(name):
    wanted = loaded(f"stages.{name}")
    for other in started(name):
        wanted |= loaded(f"stages.{other}") - {"seed"}  # it gets another one
    whole = {word for word in wanted if word.partition(".")[0] not in wanted - {word}}
    assert set(STAGES[name].get("params", [])) == whole


def loaded(module: str) -> set[str]:
    """The sections of params.yaml that a module asks for."""
    calls = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    loads = [c for c in calls if ast.unparse(c.func) in ("params.load", "load")]
    return {ast.literal_eval(word) for call in loads for word in call.args}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_run_by_its_name(name):
    words = [f"${{item.{key}}}" for key in STAGES[name].get("matrix", {})]
    assert STAGES[name]["cmd"] == " ".join(["python -m", f"stages.{name}", *words])


def test_every_file_of_stages_has_an_effect_on_some_stage():
    listed = set()
    for stage in STAGES.values():
        for variant in variants(stage):
            listed |= declared(stage, variant)
    by_hand = {file for file in files_of_stages() if file.endswith("__main__.py")}
    unlisted = {file for file in files_of_stages() if has_content(file)} - listed
    assert unlisted == by_hand | WITHOUT_EFFECT


def files_of_stages() -> list[str]:
    files = (f for f in (ROOT / "stages").rglob("*") if f.is_file() and f.suffix != ".pyc")
    return sorted(str(file.relative_to(ROOT)) for file in files)


def has_content(file: str) -> bool:
    """Whether a file is more than a package's docstring."""
    return not file.endswith(".py") or len(ast.parse((ROOT / file).read_text()).body) > 1


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_imports_a_stage(name):
    others = {f"stages/{other}.py" for other in STAGES if other != name}
    runs = (files_run([f"stages.{name}"], variant) for variant in variants(STAGES[name]))
    assert not any(files & others for files in runs)


def test_only_stages_load_parameters():
    files = [file for file in files_of_stages() if file.endswith(".py")]
    modules = {file.removesuffix(".py").replace("/", ".") for file in files}
    importers = {
        module
        for module in modules
        if re.search(r"params import .*\bload\b|params\.load\(", source_text(module))
    }
    assert importers <= {f"stages.{name}" for name in STAGES}


def source_text(module: str) -> str:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text()


def test_only_the_known_lookups_import_by_name():
    known = {f"{package.replace('.', '/')}/__init__.py" for package in LOOKUPS}
    texts = {file: (ROOT / file).read_text() for file in files_of_stages()}
    assert {
        file for file, text in texts.items() if re.search("import_module|__import__", text)
    } == known


def test_dvc_keeps_what_git_ignores_and_git_the_rest():
    for stage in STAGES.values():
        for variant in variants(stage):
            for output in itertools.chain.from_iterable(stage.get(kind, []) for kind in OUTPUTS):
                path, flags = (
                    next(iter(output.items())) if isinstance(output, dict) else (output, {})
                )
                path = filled_in(path, variant)
                ignored = git("check-ignore", "--no-index", "--quiet", path).returncode == 0
                assert ignored == flags.get("cache", True), f"{path}: .gitignore or `cache: false`?"


@pytest.mark.parametrize("name", STAGES)
def test_main_is_a_table_of_contents(name):
    functions = [node for node in tree(f"stages.{name}").body if isinstance(node, ast.FunctionDef)]
    main = next(function for function in functions if function.name == "main")
    assert main.end_lineno - main.lineno < 25


def test_no_file_of_stages_is_long_or_a_bag_of_utilities():
    lines = {file: len((ROOT / file).read_text().splitlines()) for file in files_of_stages()}
    assert {f: count for f, count in lines.items() if count > LONGEST.get(f, LONG)} == {}
    assert not [
        file for file in lines if re.search(r"util|helper|common(?!s\.py)|misc", Path(file).name)
    ]


def test_no_tracked_file_is_large():
    sizes = {file: (ROOT / file).stat().st_size for file in tracked()}
    locks = {"dvc.lock", "requirements.txt"}
    assert {
        file: size for file, size in sizes.items() if size > 600_000 and file not in locks
    } == {}


def test_no_tracked_file_names_a_place_of_one_machine():
    place = re.compile(
        rb"(?<![\w.:/<~-])/(home|Users|root|work|opt|mnt|media)/\w|\b[A-Z]:\\\\?Users"
    )
    assert [file for file in tracked() if place.search((ROOT / file).read_bytes())] == []


def test_no_tracked_file_names_a_package_index():
    index = re.compile(rb"pypi\.org|pythonhosted\.org|registry\.npmjs")
    assert [file for file in tracked() if index.search((ROOT / file).read_bytes())] == []


@cache
def tracked() -> list[str]:
    names = git("ls-files", "-z").stdout.split("\0")[:-1]
    return [name for name in names if (ROOT / name).is_file()]


def git(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
