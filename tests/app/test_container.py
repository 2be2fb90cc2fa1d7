"""The image of the service, as far as it can be seen without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.app.made_model import write_model
from tests.app.made_service import Service, png

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LOCK = (ROOT / "requirements-serve.txt").read_text()
PINS = dict(re.findall(r"^([a-z0-9.-]+)(==[^\\]*)", LOCK, re.M))

# A Python that finds its own modules, those of the lock, and ours.
ONLY_PINNED = """
import sys
from importlib.abc import MetaPathFinder

class OnlyPinned(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ALLOWED = sys.stdlib_module_names | set(%s)
sys.meta_path.insert(0, OnlyPinned())
"""


def test_the_dockerfile_is_without_findings():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_service_runs_as_nobody_in_particular():
    *_, last = DOCKERFILE.split("\nFROM ")
    assert re.findall("^USER (.+)$", last, re.M) == ["10001"]
    assert "COPY --from=packages /venv /venv" in last


def test_its_lock_pins_what_the_project_pins():
    project = (ROOT / "requirements.txt").read_text()
    assert len(PINS) > 20
    assert [line for line in re.findall(r"^\S+==.+$", LOCK, re.M) if line not in project] == []
    assert not PINS.keys() & {"tensorflow", "keras", "dvc", "onnx", "scipy", "pytest"}


def test_what_goes_to_the_engine_is_what_is_copied():
    """`.dockerignore` lets through what COPY names, and no pictures, caches or keys."""
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M)
    copied = {source.split("/")[0] for source, _ in copies()}
    assert {pattern.split("/")[0] for pattern in let_through} == copied


def copies() -> list[tuple[str, str]]:
    """From and to, of each file and folder that COPY takes from the project."""
    found = []
    model = re.search(r"^ARG MODEL=(.+)$", DOCKERFILE, re.M)[1]
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.replace("${MODEL}", model), re.M):
        *sources, target = line.split()
        found += [(source, target) for source in sources]
    return found


@pytest.fixture
def image(tmp_path) -> Path:
    """The folder /service, with a made-up network."""
    folder = tmp_path / "service"
    for source, target in copies():
        if source.endswith(".onnx"):
            shutil.copy(write_model(tmp_path / "model"), folder / target)
        elif (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, folder / target, ignore=ignored)
        elif target.endswith("/"):
            (folder / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, folder / target)
    return folder


def test_the_service_starts_from_what_is_copied_and_what_is_pinned(image, tmp_path):
    names = [name for name, of in packages_distributions().items() if installed(of)]
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(ONLY_PINNED % [*names, "app", "stages"])
    _, *words = json.loads(re.search(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.M)[1])
    process = subprocess.Popen(
        [sys.executable, *words, "--port", "0", "--workers", "1"],
        cwd=image,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        place = re.search(r"answers at http://0\.0\.0\.0:(\d+)$", process.stdout.readline())
        assert place, process.communicate(timeout=10)
        answer = Service("127.0.0.1", int(place[1])).form({"a": png("red"), "b": DRAWING})[1]
        assert [picture["class"] for picture in answer["pictures"]] == ["Red", "Red"]
        assert not (tmp_path / "home").exists()  # where onnxruntime would keep its telemetry
    finally:
        process.terminate()
        process.communicate(timeout=10)


DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2">
<path d="M0 0h2v2H0z" fill="red"/></svg>"""


def installed(distributions: list[str]) -> bool:
    return any(re.sub(r"[_.]+", "-", name).lower() in PINS for name in distributions)
