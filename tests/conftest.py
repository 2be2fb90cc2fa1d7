"""What several tests use: a study in an empty folder, with the parameters of tests/params.yaml."""

import os
import shutil
from pathlib import Path
from urllib.request import getproxies

import hypothesis
import pytest
from filelock import FileLock
from matplotlib import font_manager
from playwright.sync_api import sync_playwright

from stages import tables
from stages.pictures import exclusions, fonts
from tests import made_params, tiny_study
from tests.chromium import CHROMIUM

PROJECT = Path(__file__).resolve().parent.parent
RAW_COLUMNS = (
    *("file", "class", "query", "source", "image_url", "page_url", "title", "author"),
    *("licence", "licence_url", "sha256", "bytes", "width", "height", "format"),
)

# How long one example takes says more of the machine's other work than of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# The tests' servers are on loopback, where a proxy of the machine would not find them.
os.environ["no_proxy"] = ",".join(filter(None, [getproxies().get("no"), "127.0.0.1", "localhost"]))


@pytest.fixture
def project() -> Path:
    """The checkout, wherever a test has gone."""
    return PROJECT


@pytest.fixture
def content() -> dict:
    """What tests/params.yaml says, free to be changed."""
    return made_params.read()


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A folder with the tests' params.yaml, made the current one."""
    shutil.copyfile(made_params.FILE, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def list_raw(study):
    """Call it when data/raw is drawn: it lists what is there as the scrape stage would.

    And nothing is excluded, unless the test has written the file. The code is there, as in a clone.
    """
    (study / "stages").symlink_to(PROJECT / "stages")
    shutil.copy(PROJECT / "requirements.txt", study)

    def write(*missing: str) -> None:
        raw = study / "data/raw"
        files = {p.relative_to(raw).as_posix() for p in raw.glob("*/*") if p.is_file()}
        blank = dict.fromkeys(RAW_COLUMNS, "")
        rows = [
            blank | {"file": file, "class": file.split("/")[0]}
            for file in sorted(files | {*missing})
        ]
        tables.write_table(raw / "manifest.csv", RAW_COLUMNS, rows)
        if not (study / "data/exclude.csv").exists():
            tables.write_table("data/exclude.csv", exclusions.COLUMNS, [])

    return write


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory, worker_id) -> Path:
    """Where the tiny study has run: once for all workers, since it takes a minute or two."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "tiny_study"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            unfinished = folder.with_suffix(f".{worker_id}")
            tiny_study.finish(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="module", name="tiny_study")
def copy_of_finished_study(finished_study, tmp_path_factory):
    """The clone of a tiny study that has run, with a user's cache of its own."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(finished_study, folder, symlinks=True, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOON_CACHE", str(folder / "cache"))
        yield folder / tiny_study.CLONE


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def install(monkeypatch):
    """Call it with font files: those and no others are installed, whatever this machine has."""

    def found(*files: Path) -> None:
        fonts._installed.cache_clear()
        fonts._installed_font.cache_clear()
        monkeypatch.setattr(fonts, "_without", set())
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(map(str, files)))

    yield found
    fonts._installed.cache_clear()
    fonts._installed_font.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: while one worker is at it, the other does the rest."""
    items.sort(key=lambda item: item.path.name != "test_pipeline.py")
