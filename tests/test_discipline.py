"""The house's rules, checked by machine: what a stage declares is what it uses, and no more."""

import ast
import itertools
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from stages import source_code
from stages.params import NETWORKS, SOURCES
from stages.runtime import fingerprints

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
OUTPUTS = ("outs", "metrics", "plots")
CHOICES = {"${models}": NETWORKS, "${evaluate.folds}": ("1",), "${evaluate.repeats}": ("1",)}

LONGEST = {"stages/params/schema.py": 300}  # grows with what can be chosen
LONG = 250

# Which rooms a room may import, beside the base (errors, params, tables) and `runtime`.
ROOMS = {
    "runtime": set(),
    "web": set(),
    "pictures": set(),
    "zoo": set(),
    "statistics": set(),
    "sources": {"web", "pictures"},
    "networks": {"web", "pictures", "zoo"},
    "compute": {"pictures"},
    "training": {"pictures", "compute", "networks", "zoo"},
    "exports": {"networks", "statistics"},
    "figures": {"pictures", "statistics"},
    "metadata": {"zoo", "statistics"},
}
BASE = {"errors", "params", "tables"}


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


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
    return ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())


STARTED = {"repeat": {"split"}}  # stages that a stage runs as programs


def files_of(*modules: str) -> set[str]:
    files, _ = fingerprints.code_of(modules)
    return {file.as_posix() for file in files}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_fingerprint_of_its_own_code(name):
    stage = STAGES[name]
    found = {path for path in stage["deps"] if path.startswith("data/source_code")}
    wanted = {f"data/source_code/{one}.csv" for one in (name, *STARTED.get(name, ()))}
    if "model" in stage.get("matrix", {}) and looks_up_networks(name):
        wanted.add("data/source_code/networks/${item.model}.csv")
    elif looks_up_networks(name):
        wanted.add("data/source_code/networks")
    assert found == (set() if name == "source_code" else wanted)


def looks_up_networks(stage: str) -> bool:
    files = files_of(f"stages.{stage}")
    return any("stages.zoo" in fingerprints.code(Path(file)).imports for file in files)


def test_a_fingerprint_is_taken_of_every_stage():
    assert ["source_code", *source_code.STAGES] == list(STAGES)
    assert set(STAGES["source_code"]["deps"]) == {"requirements.txt", "stages"}


def test_a_fingerprint_names_every_file_that_is_imported():
    """By Python itself; what functions import later is in it too, and found by reading alone."""
    code = """
import importlib, sys
for name in sys.argv[1:]:
    for module in [m for m in sys.modules if m.startswith("stages")]:
        del sys.modules[module]
    importlib.import_module(name)
    print(name, *(m for m in sys.modules if m.startswith("stages.")))
"""
    names = [f"stages.{name}" for name in STAGES]
    names += [f"stages.zoo.{name}" for name in NETWORKS]
    names += [f"stages.sources.{name}" for name in SOURCES]
    command = [sys.executable, "-c", code, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("stages.")]
    assert [name for name, *_ in lines] == names
    for name, *modules in lines:
        files = {fingerprints.file_of(module) for module in modules if effective(module)}
        assert {path for file in files if has_content(path := file.as_posix())} <= files_of(name)


def effective(module: str) -> bool:
    return module not in fingerprints.WITHOUT_EFFECT


def test_an_import_inside_a_function_and_a_lookup_by_name_are_in_the_fingerprint():
    assert "stages/figures/learning_curves.py" in files_of("stages.report")
    assert "stages/figures/report.html.jinja" in files_of("stages.report")
    rows = fingerprints.fingerprint("stages.training.determinism")  # imports in a function alone
    assert {"keras", "tensorflow"} <= {row["name"] for row in rows}


@pytest.mark.parametrize("name", SOURCES)
def test_the_code_of_a_source_is_that_of_no_other(name):
    others = {f"stages/sources/{other}.py" for other in SOURCES if other != name}
    assert not files_of(f"stages.sources.{name}") & others
    assert not files_of("stages.scrape") & {*others, f"stages/sources/{name}.py"}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_code_of_a_network_is_that_of_no_other(name):
    others = {f"stages/zoo/{other}.py" for other in NETWORKS if other != name}
    assert not files_of(f"stages.zoo.{name}") & others
    for stage in STAGES:
        assert not files_of(f"stages.{stage}") & {*others, f"stages/zoo/{name}.py"}


@pytest.mark.parametrize("name", STAGES)
def test_a_packages_version_counts_where_it_makes_bytes(name):
    rows = {row["name"] for row in fingerprints.fingerprint(f"stages.{name}")}
    makes = {
        "scrape": {"pillow"},
        "to_rgb": {"pillow", "numpy"},
        "split": {"scikit-learn", "imagehash", "scipy", "numpy"},
        "features": {"tensorflow", "keras", "numpy", "pillow"},
        "report": {"matplotlib", "cleanlab", "scikit-learn", "scipy", "jinja2"},
        "cards": {"scipy", "jinja2", "wcwidth"},
    }
    assert rows >= makes.get(name, set())
    assert not rows & {"pytest", "ruff", "tqdm", "dvc", "pydantic", "urllib3", "icrawler"}


def test_every_imported_package_is_pinned_under_the_name_it_has():
    locks = (fingerprints.LOCK, Path("requirements-remotes.txt"))
    pins = {name for lock in locks for name in fingerprints.locked(lock.read_text())}
    modules = [file.removesuffix(".py").replace("/", ".") for file in python_files()]
    _, names = fingerprints.code_of(modules)
    others = names - sys.stdlib_module_names - {"stages"}
    distributions = {fingerprints.DISTRIBUTIONS.get(n, n.replace("_", "-")) for n in others}
    assert distributions - pins == set()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_parameters_it_loads(name):
    wanted = loaded(f"stages.{name}")
    for other in STARTED.get(name, ()):
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
    modules = [f"stages.{name}" for name in STAGES]
    modules += [f"stages.zoo.{name}" for name in NETWORKS]
    modules += [f"stages.sources.{name}" for name in SOURCES]
    by_hand = {file for file in files_of_stages() if file.endswith("__main__.py")}
    without = {fingerprints.file_of(name).as_posix() for name in fingerprints.WITHOUT_EFFECT}
    unlisted = {file for file in files_of_stages() if has_content(file)} - files_of(*modules)
    assert unlisted == by_hand | without


def files_of_stages() -> list[str]:
    files = (f for f in (ROOT / "stages").rglob("*") if f.is_file() and f.suffix != ".pyc")
    return sorted(str(file.relative_to(ROOT)) for file in files)


def python_files() -> list[str]:
    return [file for file in files_of_stages() if file.endswith(".py")]


def has_content(file: str) -> bool:
    """Whether a file is more than a package's docstring."""
    return not file.endswith(".py") or len(ast.parse((ROOT / file).read_text()).body) > 1


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_imports_a_stage(name):
    assert not files_of(f"stages.{name}") & {
        f"stages/{other}.py" for other in STAGES if other != name
    }


def test_imports_go_one_way():
    """From stages to rooms, from a room to those that it may know, from all to the base."""
    for file in python_files():
        here = room(file)
        reach = {room(fingerprints.file_of(name).as_posix()) for name in project_imports(file)}
        if here in ROOMS:
            assert reach <= {here, *ROOMS[here], "runtime", "base"}, file
        elif here == "base":
            assert reach <= {"base"}, file
        else:
            assert reach <= {*ROOMS, "base"}, file


@pytest.mark.parametrize("file", sorted((ROOT / "app").glob("**/*.py")))
def test_what_is_no_stage_imports_rooms_and_no_stage(file):
    names = {n for n in fingerprints.code(file).imports if n.startswith("stages.")}
    found = filter(None, map(fingerprints.file_of, names))
    assert {room(module.as_posix()) for module in found} <= {*ROOMS, "base"}


def test_no_stage_and_no_room_imports_what_is_no_stage():
    for file in python_files():
        assert not [n for n in fingerprints.code(ROOT / file).imports if n.startswith("app")], file


def room(file: str) -> str:
    """The room of a file; `base`, or for a stage or a package's `__init__` its own name."""
    _, place, *_ = Path(file).with_suffix("").parts
    return "base" if place in BASE else place


def project_imports(file: str) -> list[str]:
    names = fingerprints.code(ROOT / file).imports
    return [name for name in names if fingerprints.file_of(name) and name != "stages"]


def test_at_the_top_of_stages_is_what_dvc_yaml_names_and_the_base():
    top = {path.stem for path in (ROOT / "stages").glob("*.py")}
    assert top == {*STAGES, *BASE, "__init__"} - {"params"}
    assert len(top) <= 19
    folders = {path.parent.name for path in (ROOT / "stages").glob("*/__init__.py")}
    assert folders == {*ROOMS, "params"}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_what_belongs_in_it_and_what_does_not(name):
    code = ast.parse((ROOT / "stages" / name / "__init__.py").read_text())
    text = " ".join(ast.get_docstring(code).split())
    assert "Here: " in text
    assert "Not here: " in text


def test_dvc_yaml_is_read_in_two_minutes():
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 235


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
    known = {f"stages/{name}/__init__.py" for name in ("figures", "sources", "zoo")}
    by_name = re.compile(r"import_module\(f\"stages|__import__")
    found = {file for file in python_files() if by_name.search((ROOT / file).read_text())}
    assert found == known


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
    bag = re.compile(r"util|helper|common(?!s\.py)|misc(?!lass)")
    assert not [file for file in lines if bag.search(Path(file).name)]


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
