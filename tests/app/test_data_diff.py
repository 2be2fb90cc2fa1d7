"""Two revisions of a study's pictures compared, with nothing checked out."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from dvc.repo import Repo

from app import data_diff
from app.differences import revisions, words
from app.differences.kinds import (
    ADDED,
    CHANGED,
    MOVED,
    RELABELLED,
    REMOVED,
    RENAMED,
    differences,
    read_dataset,
)
from app.differences.page import GROUPS
from app.differences.revisions import WORKSPACE, opened
from stages.errors import StudyError
from tests.app.made_revisions import commit, drawn, git, start, write
from tests.chromium import needs_chromium

FIRST = {
    "Cat/a.png": ("red", "train"),
    "Cat/b.png": ("green", "train"),
    "Cat/c.png": ("blue", "test"),
    "Cat/d.png": ("orange", "train"),
    "Cat/e.png": ("pink", "train"),
    "Dog/f.png": ("purple", "validation"),
    "Dog/g.png": ("brown", "train"),
    "Owl & <b>/h.png": ("grey", "test"),
}
SECOND = {
    "Cat/a.png": ("red", "train"),
    "Dog/b.png": ("green", "train"),
    "Cat/c.png": ("navy", "test"),
    "Cat/d.png": ("orange", "test"),
    "Cat/e-2.png": ("pink", "train"),
    "Dog/f.png": ("purple", "validation"),
    "Fox/i.png": ("cyan", "train"),
}
FOUND = {
    (RELABELLED, "Cat/b.png", "Dog/b.png", ""),
    (CHANGED, "Cat/c.png", "Cat/c.png", ""),
    (ADDED, None, "Fox/i.png", ""),
    (REMOVED, "Dog/g.png", None, "excluded: food"),
    (REMOVED, "Owl & <b>/h.png", None, ""),
    (MOVED, "Cat/d.png", "Cat/d.png", ""),
    (RENAMED, "Cat/e.png", "Cat/e-2.png", ""),
}
RESULT = (
    "8 pictures of 3 classes in first, 7 pictures of 3 classes in second: "
    "1 relabelled, 1 changed, 1 added, 2 removed, 1 moved between splits, 1 renamed"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Revisions `empty`, `unmade`, `first`, `second`; `sharded` is `second` in shards."""
    folder = tmp_path_factory.mktemp("made") / "study"
    start(folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "empty")
    git(folder, "tag", "empty")
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "unmade")
    git(folder, "tag", "unmade")
    write(folder, FIRST)
    commit(folder, "first")
    write(folder, SECOND, left_out={"brown": "food"})
    commit(folder, "second")
    write(folder, SECOND, left_out={"brown": "food"}, loose=False)
    commit(folder, "sharded")
    assert {path.name for path in (folder / "data/rgb").glob("*.zip")} > {"Cat.000.zip"}
    return folder


@pytest.fixture
def repository(made, tmp_path, monkeypatch):
    """A copy of them, made the current folder."""
    folder = tmp_path / "study"
    shutil.copytree(made, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def found(before: str, after: str) -> set[tuple]:
    with opened(before, after) as (one, other):
        rows = differences(read_dataset(one), read_dataset(other))
    return {
        (row.kind, row.before and row.before.file, row.after and row.after.file, row.reason)
        for row in rows
    }


def compare(before: str = "first", after: str = "second", **options) -> str | None:
    settings = {"output": data_diff.PAGE, "thumbnails": data_diff.THUMBNAILS, "as_json": False}
    return data_diff.main(before, after, **(settings | options))


def page() -> str:
    return data_diff.PAGE.read_text(encoding="utf-8")


def lose(folder: Path, *data: bytes) -> None:
    """Take files out of DVC's cache, by their bytes."""
    for one in data:
        digest = hashlib.md5(one, usedforsecurity=False).hexdigest()
        (folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()


def forget_listings(folder: Path) -> None:
    """Make it another repository to DVC, which has an index of all listings that it has read."""
    (folder / ".dvc/tmp/btime").unlink()


def test_each_picture_that_differs_is_named_with_its_kind_and_reason(repository):
    assert found("first", "second") == FOUND


@pytest.mark.parametrize("other", ["second", "sharded", WORKSPACE])
def test_loose_files_and_shards_are_the_same_pictures(repository, other):
    assert found("second", other) == set()
    assert found("sharded", other) == set()
    assert found("first", other) == FOUND


def test_the_workspace_is_what_lies_on_the_disk(repository):
    write(repository, FIRST | {"Fox/i.png": ("cyan", "")})
    assert found("first", WORKSPACE) == {(ADDED, None, "Fox/i.png", "")}


def test_a_class_has_a_line_and_the_result_is_one(repository, capsys):
    assert compare() == f"{RESULT}; see reports/data_diff.html"
    printed = capsys.readouterr()
    head, *lines = printed.out.splitlines()
    assert head.split() == ["class", "before", "after", *words.COLUMNS[3:]]
    assert [line.split("  ")[0] for line in lines[:4]] == ["Cat", "Dog", "Fox", "Owl & <b>"]
    assert lines[0].split() == ["Cat", "5", "4", "−1", "1", "1", "1"]
    assert lines[1].split() == ["Dog", "2", "2", "1", "+1"]
    assert lines[4:] == ["classes added: Fox", "classes removed: Owl & <b>"]
    assert printed.err == ""


def test_the_same_revision_has_no_differences(repository, capsys):
    result = "second and sharded have the same 7 pictures of 3 classes; see reports/data_diff.html"
    assert compare("second", "sharded") == result
    assert capsys.readouterr().out == ""
    assert "<img" not in page()


def test_other_settings_of_the_conversion_are_told_though_no_picture_differs(repository, capsys):
    lock = repository / "dvc.lock"
    lock.write_text(lock.read_text().replace("max_side: 512", "max_side: 32"))
    assert "max_side: 32" in lock.read_text()
    compare("second", WORKSPACE)
    told = "rgb.max_side is 512, then 32: all pictures are converted otherwise"
    assert capsys.readouterr().out.splitlines() == [told]
    assert told in page()


def test_nothing_is_checked_out_fetched_or_changed(repository):
    def state() -> list:
        files = (p for p in repository.rglob("*") if p.is_file() and ".dvc/tmp" not in str(p))
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)

    before = state()
    found("first", "second")
    compare("first", "sharded", output=repository.parent / "page.html")
    assert state() == before
    assert git(repository, "status", "--porcelain").stdout == ""


def test_scripts_get_json(repository, capsys):
    assert compare(as_json=True) is None
    told = json.loads(capsys.readouterr().out)
    assert (told["before"], told["after"]) == ("first", "second")
    assert Counter(row["kind"] for row in told["differences"]) == Counter(f[0] for f in FOUND)
    moved = next(row for row in told["differences"] if row["kind"] == MOVED)
    assert (moved["before"]["split"], moved["after"]["split"]) == ("train", "test")
    cat = next(row for row in told["classes"] if row["name"] == "Cat")
    assert (cat["before"], cat["after"], cat["relabelled_out"]) == (5, 4, 1)
    assert not data_diff.PAGE.exists()


def test_a_picture_in_neither_cache_nor_remote_is_shown_by_name_with_the_remedy(repository, capsys):
    lose(repository, drawn("blue"), drawn("brown"))
    compare()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("data_diff: 2 pictures of first have no thumbnail")
    assert "neither DVC's cache nor a remote" in line
    assert "`dvc fetch -A" in line
    assert page().count("in neither DVC&#39;s cache nor a remote") == 2
    assert page().count("<img") == 6


@pytest.mark.parametrize("table", ["data/split.csv", "data/rgb/manifest.csv"])
def test_a_table_in_neither_cache_nor_remote_is_one_line_with_the_remedy(repository, table):
    git(repository, "checkout", "--quiet", "first")
    with Repo() as repo:
        repo.checkout(force=True)
    lose(repository, (repository / table).read_bytes())
    with pytest.raises(
        StudyError, match=f"^{table} of first is in neither DVC's cache nor a remote: "
    ):
        compare()


def test_a_listing_in_neither_cache_nor_remote_is_one_line(repository):
    for listing in (repository / ".dvc/cache").rglob("*.dir"):
        listing.unlink()
    forget_listings(repository)
    with pytest.raises(StudyError, match=r"^data/rgb/manifest\.csv of first is in neither"):
        compare()


def test_what_the_cache_lacks_is_read_from_the_remote_of_today(repository, tmp_path, capsys):
    """Of revisions that are older than the remote, where `dvc fetch` would not; nothing is kept."""
    shutil.move(repository / ".dvc/cache/files", tmp_path / "store/files")  # as a push leaves it
    with Repo() as repo, repo.config.edit("repo") as settings:
        settings["remote"] = {"store": {"url": str(tmp_path / "store")}}
        settings["core"]["remote"] = "store"
    forget_listings(repository)
    assert found("first", "second") == FOUND
    compare("first", "sharded")
    assert capsys.readouterr().err == ""
    assert page().count("<img") == 8
    assert not [path for path in (repository / ".dvc/cache").rglob("*.*") if path.is_file()]


def test_the_cache_is_that_of_today(repository, tmp_path):
    shutil.move(repository / ".dvc/cache", tmp_path / "shared")
    with Repo() as repo, repo.config.edit("repo") as settings:
        settings["cache"]["dir"] = str(tmp_path / "shared")
    forget_listings(repository)
    assert found("first", "second") == FOUND


def test_a_damaged_picture_is_shown_by_name_with_the_reason(repository, capsys):
    write(repository, FIRST | {"Fox/i.png": ("cyan", "train"), "Fox/j.png": ("teal", "train")})
    (repository / "data/rgb/Fox/i.png").write_bytes(drawn("cyan")[:60])
    (repository / "data/rgb/Fox/j.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    compare("first", WORKSPACE)
    assert capsys.readouterr().err.splitlines() == [
        "data_diff: 1 picture of the workspace has no thumbnail: truncated PNG",
        "data_diff: 1 picture of the workspace has no thumbnail: no PNG",
    ]
    assert page().count("truncated PNG") == page().count("no PNG") == 1


def test_a_picture_that_its_folder_lacks_is_shown_by_name(repository, capsys):
    write(repository, FIRST | {"Fox/i.png": ("cyan", "train")})
    (repository / "data/rgb/Fox/i.png").unlink()
    compare("first", WORKSPACE)
    assert capsys.readouterr().err.splitlines() == [
        "data_diff: 1 picture of the workspace has no thumbnail: not in data/rgb; "
        "`dvc checkout data` brings it back"
    ]


def test_a_manifest_of_a_stranger_names_no_file_elsewhere(repository, capsys):
    write(repository, FIRST | {"Fox/i.png": ("cyan", "train")})
    (repository / "private.png").write_bytes(drawn("cyan"))
    for table in ("rgb/manifest.csv", "split.csv"):
        path = repository / "data" / table
        path.write_text(path.read_text().replace("Fox/i.png", "Fox/../../../private.png"))
    compare("first", WORKSPACE)
    assert "no thumbnail: not in data/rgb" in capsys.readouterr().err
    assert page().count("<img") == 0


@pytest.mark.parametrize("loose", [True, False])
def test_a_picture_is_read_up_to_a_limit(repository, capsys, monkeypatch, loose):
    write(repository, FIRST | {"Fox/i.png": ("cyan", "train")}, loose=loose)
    monkeypatch.setattr(revisions, "MAX_BYTES", len(drawn("cyan")) - 1)  # not a file of 100 MB
    compare("first", WORKSPACE)
    assert "no thumbnail: above 0 MB" in capsys.readouterr().err


def test_a_remote_whose_package_is_missing_is_one_line(repository):
    with Repo() as repo, repo.config.edit("repo") as settings:
        settings["remote"] = {"store": {"url": "gdrive://nowhere/pictures"}}
        settings["core"]["remote"] = "store"
    with pytest.raises(StudyError, match=r"^first cannot be read: .*dvc-gdrive[^\n]*$"):
        compare()


def test_more_pictures_than_a_group_shows_are_counted(repository):
    many = {f"Fox/{number:02}.png": (f"hsl({number}, 50%, 50%)", "train") for number in range(20)}
    write(repository, FIRST | many)
    compare("first", WORKSPACE, thumbnails=3)
    assert page().count("<img") == 3
    assert "17 more are not shown" in page()
    compare("first", WORKSPACE, thumbnails=20)
    assert page().count("<img") == 20
    assert "not shown" not in page()


def test_more_groups_than_a_page_shows_are_counted(repository):
    many = {f"Fox {number:02}/a.png": (f"hsl({number}, 50%, 50%)", "train") for number in range(45)}
    write(repository, FIRST | many)
    compare("first", WORKSPACE)
    assert page().count("<img") == GROUPS
    assert f"{45 - GROUPS} more groups are not shown" in page()


def test_a_study_in_a_subfolder_of_a_repository_is_read_too(tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet")
    start(tmp_path / "in/study")
    monkeypatch.chdir(tmp_path / "in/study")
    write(Path(), FIRST)
    commit(Path().absolute(), "first")
    write(Path(), SECOND, left_out={"brown": "food"})
    assert found("first", WORKSPACE) == FOUND


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("nowhere", "second", "nowhere is no revision here: `git log --oneline --all` lists them"),
        ("empty", "second", "empty has no dvc.lock: no study had been made by then"),
        ("unmade", "second", "unmade has no data/split.csv"),
        ("first", WORKSPACE, "the workspace has no data/split.csv: `dvc pull` brings it"),
    ],
)
def test_a_revision_that_cannot_be_compared_is_one_line(repository, before, after, told):
    shutil.rmtree(repository / "data")
    with pytest.raises(StudyError) as error:
        compare(before, after)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("prepare", ["git", "dvc", "git and dvc"])
def test_a_folder_without_a_history_is_one_line(tmp_path, monkeypatch, prepare):
    monkeypatch.chdir(tmp_path)
    if "git" in prepare:
        git(tmp_path, "init", "--quiet")
    if "dvc" in prepare:
        Repo.init(no_scm="git" not in prepare).close()
    with pytest.raises(StudyError, match=r"^no study with a history here [^\n]*$"):
        compare()


def test_an_error_is_one_line_of_the_command_and_exit_code_1(tmp_path, project):
    done = subprocess.run(
        [sys.executable, "-m", "app.data_diff", "main"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("app.data_diff: no study with a history here")


def test_a_page_that_cannot_be_written_is_one_line(repository):
    with pytest.raises(StudyError, match=r"^data cannot be written .*: name another file$"):
        compare(output=Path("data"))


def test_a_table_of_another_version_is_one_line(repository):
    (repository / "data/split.csv").write_text("picture,part\na.png,train\n")
    with pytest.raises(StudyError, match=r"^data/split\.csv of the workspace has no columns file"):
        compare("first", WORKSPACE)


@pytest.fixture(scope="module")
def address(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "study"
    shutil.copytree(made, folder, symlinks=True)
    lose(folder, drawn("brown"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        compare()
    return (folder / data_diff.PAGE).as_uri()


@needs_chromium
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_is_alone_quiet_and_whole_at_every_width(browser, address, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    opened_page = context.new_page()
    said, asked = [], []
    opened_page.on("console", lambda message: said.append(message.text))
    opened_page.on("pageerror", lambda error: said.append(str(error)))
    opened_page.on("request", lambda request: asked.append(request.url))
    opened_page.goto(address)
    pictures_drawn = opened_page.evaluate(
        "[...document.images].map(i => [i.alt, i.complete && i.naturalWidth])"
    )
    wide = opened_page.evaluate("document.documentElement.scrollWidth")
    titles = opened_page.locator("h3").all_inner_texts()
    pairs = opened_page.locator(".pairs figcaption").all_inner_texts()
    missing = opened_page.locator(".missing").all_inner_texts()
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert all(pixels > 0 for _, pixels in pictures_drawn)
    assert len(pictures_drawn) == len({alt for alt, _ in pictures_drawn}) == 7
    assert wide <= width
    assert "Owl & <b> 1" in titles
    assert "Cat → Dog 1" in titles
    assert "train → test 1" in titles
    assert pairs == ["before", "after"]
    assert missing == ["in neither DVC's cache nor a remote"]
