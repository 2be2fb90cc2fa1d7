"""When a remote fails nothing is lost, the next try completes, and docs/share.md explains DVC."""

import random
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.sharing import stores
from tests.tiny_study import attempt, commit, run

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs/share.md").read_text(encoding="utf-8")
TABLE = PAGE.split("| --- | --- | --- |\n")[1].split("\n\n")[0]
SAID = [re.findall(r"`(.+?)`", row.split(" | ")[0]) for row in TABLE.splitlines()]

# A word of each row, by which the tests name it.
CLIENT = "to be installed"
CONNECTION = "Connection refused"
NO_FOLDER = "No such file or directory: ''"
MAY_NOT_WRITE = "Forbidden"
FULL = "Insufficient Storage"
DISK_FULL = "No space left on device"
NOT_PUSHED = "Missing cache files"
DAMAGED = "Checkout failed"
ROWS = (CLIENT, CONNECTION, NO_FOLDER, MAY_NOT_WRITE, FULL, DISK_FULL, NOT_PUSHED, DAMAGED)

SERVED = ("ssh", "webdav", "s3")
DVC = (sys.executable, "-m", "dvc")


@pytest.fixture(scope="module")
def get_store(tmp_path_factory):
    """Call it with a kind: the store of that kind, without a fault."""
    stores_there = {}

    def get(kind: str) -> stores.Store:
        if reason := stores.KINDS[kind].missing():
            pytest.skip(reason)
        if kind not in stores_there:
            stores_there[kind] = stores.KINDS[kind](tmp_path_factory.mktemp("stores"))
        if not stores_there[kind].runs():
            stores_there[kind].start()
        return stores_there[kind]

    yield get
    for store in stores_there.values():
        store.kill()


@pytest.fixture
def store(request, get_store, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # it would wait before it gives up
    return get_store(getattr(request, "param", "folder"))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Data of DVC's in a repository: a folder of sixteen files, and a file of half a megabyte."""
    folder, rng = tmp_path_factory.mktemp("made"), random.Random(0)
    (folder / "pictures").mkdir()
    for number in range(16):
        (folder / f"pictures/{number:02}").write_bytes(rng.randbytes(10_000))
    (folder / "weights").write_bytes(rng.randbytes(500_000))
    run(folder, "git", "init", "--quiet", "--initial-branch=main")
    for words in (["init", "--quiet"], ["add", "--quiet", "pictures", "weights"]):
        run(folder, *DVC, *words)
    commit(folder, "Data")
    return folder


@pytest.fixture
def mine(made, store, tmp_path) -> Path:
    """Where the data was made."""
    return connect(shutil.copytree(made, tmp_path / "mine"), store, tmp_path.name)


@pytest.fixture
def theirs(made, store, tmp_path) -> Path:
    """A colleague's clone, without the data."""
    run(tmp_path, "git", "clone", "--quiet", str(made), "theirs")
    return connect(tmp_path / "theirs", store, tmp_path.name)


def connect(clone: Path, store: stores.Store, place: str, *, verify: bool = True) -> Path:
    """Have a folder of the store as a clone's remote."""
    (clone / ".dvc/config.local").write_text(store.config(place) + f"    verify = {verify}\n")
    return clone


def works(clone: Path, command: str) -> str:
    return run(clone, *DVC, command)


def fails(clone: Path, command: str) -> set[str]:
    """The rows of docs/share.md that tell of what DVC says."""
    done = attempt(clone, *DVC, command)
    assert done.returncode, done.stdout
    rows = {
        row for row in ROWS if re.search("|".join(map(pattern, words_beside(row))), done.stderr)
    }
    assert rows, done.stderr
    return rows


def words_beside(row: str) -> list[str]:
    return next(words for words in SAID if row in words)


def pattern(words: str) -> str:
    return re.escape(words).replace("…", ".*")


def files(clone: Path) -> dict[str, bytes]:
    paths = [clone / "weights", *(clone / "pictures").glob("*")]
    return {path.relative_to(clone).as_posix(): path.read_bytes() for path in paths}


def weights_object(clone: Path) -> str:
    md5 = re.search("md5: ([0-9a-f]{32})", (clone / "weights.dvc").read_text())[1]
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def breaks_off(store: stores.Store, clone: Path, command: str) -> set[str]:
    """A push or a pull, in the middle of which the remote's server is killed."""
    if isinstance(store, stores.Http):
        store.fail({"push": "PUT", "pull": "GET"}[command])
        return fails(clone, command)
    receives = store.folder / clone.parent.name if command == "push" else clone / ".dvc/cache"
    killer = threading.Thread(target=lambda: (wait_for_some(receives), store.kill()))
    killer.start()
    rows = fails(clone, command)
    killer.join()
    return rows


def wait_for_some(folder: Path) -> None:
    for _ in range(6000):
        if sum(1 for _ in folder.rglob("*/*/*/*")) > 2:
            return
        time.sleep(0.01)


def test_every_row_of_the_table_is_seen_here():
    assert [words_beside(row) for row in ROWS] == SAID


@pytest.mark.parametrize("store", SERVED, indirect=True)
def test_a_remote_that_is_killed_goes_on_when_it_is_back(store, mine, theirs):
    before = files(mine)
    assert breaks_off(store, mine, "push") == {CONNECTION}
    assert fails(mine, "push") == {CONNECTION}
    store.start()
    works(mine, "push")
    assert files(mine) == before
    assert breaks_off(store, theirs, "pull") == {CONNECTION}
    assert not (theirs / "weights").exists()
    store.start()
    if store.kind == "s3":  # moto has forgotten all
        works(mine, "push")
    works(theirs, "pull")
    assert files(theirs) == before


@pytest.mark.parametrize("store", stores.KINDS, indirect=True)
def test_a_damaged_file_is_noticed_and_not_taken(store, mine, theirs):
    works(mine, "push")
    store.damage(weights_object(mine), mine.parent.name)
    assert fails(theirs, "pull") == {DAMAGED}
    assert not (theirs / "weights").exists()


def test_without_verify_a_damaged_file_is_taken(store, mine, theirs):
    """Which is why docs/share.md has it: DVC's default is off."""
    works(mine, "push")
    store.damage(weights_object(mine), mine.parent.name)
    connect(theirs, store, mine.parent.name, verify=False)
    works(theirs, "pull")
    assert works(theirs, "status") == "Data and pipelines are up to date.\n"
    assert (theirs / "weights").stat().st_size < (mine / "weights").stat().st_size


@pytest.mark.parametrize("store", ["webdav"], indirect=True)
def test_half_a_file_that_webdav_keeps_is_noticed_and_a_new_folder_heals_it(store, mine, theirs):
    store.fail("PUT", half=True)
    assert fails(mine, "push") == {CONNECTION}
    store.start()
    works(mine, "push")
    assert fails(theirs, "pull") == {DAMAGED}
    for clone in (mine, theirs):
        connect(clone, store, f"{clone.parent.name}-2")
    works(mine, "push")
    works(theirs, "pull")
    assert files(theirs) == files(mine)


@pytest.mark.parametrize("store", SERVED, indirect=True)
def test_a_remote_that_may_be_read_alone_says_so(store, mine):
    if isinstance(store, stores.Http):
        store.fail("PUT", "MKCOL", status=403)
    else:
        store.restart("-R")
    assert fails(mine, "push") == {MAY_NOT_WRITE}
    store.restart()
    assert "files pushed" in works(mine, "push")


@pytest.mark.parametrize("store", ["webdav", "s3"], indirect=True)
def test_a_full_remote_takes_the_rest_when_there_is_room(store, mine):
    store.fail("PUT", "MKCOL", status=507)
    assert fails(mine, "push") == {FULL}
    store.restart()
    assert "files pushed" in works(mine, "push")


def test_a_full_disk_takes_the_rest_when_there_is_room(store, mine, made, small_disk):
    works(mine, "push")
    run(small_disk, "git", "clone", "--quiet", str(made), "theirs")
    theirs = connect(small_disk / "theirs", store, mine.parent.name)
    assert fails(theirs, "pull") == {DISK_FULL}
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    works(theirs, "pull")
    assert files(theirs) == files(mine)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("it takes root, and leave to mount, to have a disk that is full")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("store", ["webdav"], indirect=True)
def test_a_webdav_folder_that_is_not_there_is_made_as_the_page_says(store, mine):
    (store.folder / mine.parent.name).rmdir()
    assert fails(mine, "push") == {NO_FOLDER}
    words = re.search("`(curl .+?) https", PAGE)[1].replace("ann", "ann:secret").split()
    run(mine, *words, "--silent", "--fail", f"http://{store.address}/{mine.parent.name}")
    assert "files pushed" in works(mine, "push")


@pytest.mark.parametrize("store", SERVED, indirect=True)
def test_a_client_that_is_not_installed_is_named(store, mine):
    """The module is hidden, since the tests' environment has it."""
    hidden = f"import sys; sys.modules['dvc_{store.kind}'] = None"
    main = "from dvc.cli import main; sys.exit(main(['push']))"
    done = attempt(mine, sys.executable, "-c", f"{hidden}; {main}")
    assert CLIENT in done.stderr


def test_what_nobody_has_pushed_is_named(store, mine, theirs):
    assert fails(theirs, "pull") == {NOT_PUSHED, DAMAGED}
    works(mine, "push")
    works(theirs, "pull")
    assert files(theirs) == files(mine)


@pytest.mark.parametrize("store", ["ssh"], indirect=True)
def test_who_is_killed_while_pushing_pushes_the_rest(store, mine, theirs):
    with subprocess.Popen([*DVC, "push"], cwd=mine, stderr=subprocess.DEVNULL) as push:
        wait_for_some(store.folder / mine.parent.name)
        push.kill()
    assert "files pushed" in works(mine, "push")
    works(theirs, "pull")
    assert files(theirs) == files(mine)


def test_several_push_at_once(store, mine, theirs):
    other = shutil.copytree(mine, mine.parent / "other")
    clones = (mine, mine, other)
    pushes = [subprocess.Popen([*DVC, "push", "--quiet"], cwd=clone) for clone in clones]
    assert [push.wait() for push in pushes] == [0, 0, 0]
    works(theirs, "pull")
    assert files(theirs) == files(mine)
