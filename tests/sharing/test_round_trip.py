"""What a colleague gets by the commands of docs/share.md, through each kind of remote."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.sharing import stores
from tests.tiny_study import change, commit, dvc, repro, run, stages_run

PAGE = (Path(__file__).parents[2] / "docs/share.md").read_text(encoding="utf-8")
BLOCKS = {
    re.split("[;,]", block.splitlines()[0].removeprefix("    # "))[0]: block
    for block in re.findall(r"(?<=\n\n)    # (?:.+\n)(?: {4}.+\n)+", PAGE)
}
TITLES = {"folder": "a folder", "ssh": "SSH", "webdav": "WebDAV", "s3": "S3"}

# A word after another, as in a shell, without starting Python for each.
DVC = """
import shlex, sys
from dvc.cli import main
for line in sys.argv[1:]:
    if status := main(shlex.split(line)[1:]):
        sys.exit(f"{line} ended with {status}")
"""


SLOW = ("ssh", "webdav")


@pytest.fixture(
    params=[pytest.param(k, marks=pytest.mark.slow) if k in SLOW else k for k in stores.KINDS]
)
def store(request, tmp_path):
    kind = stores.KINDS[request.param]
    if reason := kind.missing():
        pytest.skip(reason)
    store = kind(tmp_path)
    store.start()
    yield store
    store.kill()


@pytest.fixture(scope="module")
def with_another_run(tiny_study) -> Path:
    """The study, where stage `checks` has run with another setting too."""
    run(tiny_study.parent, "git", "clone", "--quiet", "--bare", str(tiny_study), "vitoon.git")
    run(tiny_study, "git", "remote", "set-url", "origin", str(tiny_study.parent / "vitoon.git"))
    change(tiny_study, stricter)
    assert stages_run(repro(tiny_study, "checks")) == {"checks"}
    run(tiny_study, "git", "branch", "stricter")
    run(tiny_study, "git", "checkout", "--quiet", "stricter")
    commit(tiny_study, "Stricter checks")
    run(tiny_study, "git", "checkout", "--quiet", "main")
    dvc(tiny_study, "checkout", "--quiet")
    run(tiny_study, "git", "push", "--quiet", "--set-upstream", "origin", "main", "stricter")
    return tiny_study


def stricter(params: dict) -> None:
    params["checks"]["min_side"] = 65


@pytest.fixture
def study(with_another_run):
    """On its branch main, as it was before a remote was named."""
    yield with_another_run
    run(with_another_run, "git", "push", "--quiet", "--force", "origin", "main~:main")
    run(with_another_run, "git", "reset", "--hard", "--quiet", "main~")
    (with_another_run / ".dvc/config.local").unlink(missing_ok=True)


def commands(title: str, store: stores.Store) -> list[str]:
    """The page's, with what stands for the store put in."""
    lines = [line.split("  #")[0].strip() for line in BLOCKS[title].splitlines()[1:]]
    for example, here in store.examples.items():
        lines = [re.sub(rf"(?<![\w/.]){re.escape(example)}(?!\w)", here, line) for line in lines]
    return lines


def follow(folder: Path, lines: list[str]) -> str:
    """Do as the page says; returns what DVC prints."""
    assert {line.split()[0] for line in lines} <= {"dvc", "git", "make"}
    printed, ours = "", [line for line in lines if not line.startswith("make")]
    while ours:
        program = ours[0].split()[0]
        count = next((n for n, line in enumerate(ours) if line.split()[0] != program), len(ours))
        now, ours = ours[:count], ours[count:]
        if program == "dvc":
            printed += run(folder, sys.executable, "-c", DVC, *now)
        else:
            for line in now:
                who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
                run(folder, "git", *who, *shlex.split(line)[1:])
    return printed


def test_who_pulls_has_the_same_bytes_and_nothing_to_run(study, store, tmp_path, monkeypatch):
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    settings = commands(TITLES[store.kind], store)
    of_the_other_run = ["git checkout stricter", "dvc push --run-cache checks", "git checkout main"]
    follow(study, settings + of_the_other_run)
    follow(study, commands("you", store))
    clone = cloned(commands("a colleague", store), study, tmp_path)
    credentials = [line for line in settings if "--local" in line]
    assert "verify = true" in (clone / ".dvc/config").read_text()
    printed = follow(clone, credentials + commands("a colleague", store)[4:])
    assert stages_run(printed) == set()
    assert "files fetched" in printed
    assert follow(clone, ["dvc status --quiet", "git diff --exit-code"]) == ""
    assert run(clone, "git", "status", "--porcelain") == ""
    assert files(clone) == files(study)
    change(clone, stricter)
    printed = repro(clone, "--pull", "checks")
    assert "Stage 'checks' is cached - skipping run" in printed
    assert stages_run(printed) == set()
    assert run(clone, "git", "diff", "origin/stricter", "--", "dvc.lock") == ""


def cloned(lines: list[str], study: Path, folder: Path) -> Path:
    """The first four of a colleague's commands: they go into another folder and environment."""
    assert lines[1:4] == ["cd vitoon", "make status", "source .venv/bin/activate"]
    line = lines[0].replace("https://git.example.org/vitoon.git", str(study.parent / "vitoon.git"))
    run(folder, *shlex.split(line), "--quiet")
    (folder / "pictures").symlink_to(study.parent / "pictures")
    return folder / "vitoon"


def files(clone: Path) -> dict[str, bytes]:
    """All that lies in a clone, but for Git's, DVC's and the environment's own."""
    paths = (path for top in ("data", "models", "reports") for path in (clone / top).rglob("*"))
    return {str(path.relative_to(clone)): path.read_bytes() for path in paths if path.is_file()}
