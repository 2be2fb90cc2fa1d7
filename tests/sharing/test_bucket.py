"""Pictures from a bucket, and shards to one: what comes is what the same folder on a disk gives."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

from stages import scrape, sources
from stages.errors import StudyError
from stages.params import load
from stages.pictures import shards
from stages.sources import folder
from stages.sources.selection import settled
from stages.tables import read_table
from stages.web import buckets
from stages.web.refusals import Refusal
from tests import made_params
from tests.sharing import stores
from tests.tiny_study import attempt, dvc, repro, run, stages_run

ROOT = Path(__file__).parents[2]
ADDRESS = "s3://bucket/album"
LISTINGS = 3  # requests for them: of the folder itself and of two classes


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if reason := stores.S3.missing():
        pytest.skip(reason)
    store = stores.S3(tmp_path_factory.mktemp("s3"))
    yield store
    store.kill()


@pytest.fixture
def store(server, monkeypatch):
    """An empty bucket, which the environment names, as for any client of S3."""
    server.restart()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.address}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ann")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return server


@pytest.fixture
def project(tmp_path, monkeypatch, content):
    """An empty project with two classes, whose own pictures are in `album`."""
    content["classes"] = {"Cat": {}, "Dog": {}}
    content["scrape"] |= {"source": "folder", "folder": "album", "per_class": 5}
    content["scrape"]["allow_incomplete"] = True
    content["scrape"]["download"] |= {"retries": 1, "max_megabytes": 1}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VITOON_CACHE", str(tmp_path / "cache"))
    made_params.write(tmp_path, content)
    return tmp_path


def set_scrape(**values):
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["scrape"] |= values
    made_params.write(Path(), content)


def draw(count=8, root="album"):
    """So many pictures of either class, with hidden files, folders and what is no picture."""
    for name, blue in (("Cat", 30), ("Dog", 200)):
        home = Path(root, name)
        (home / "b").mkdir(parents=True)
        for number in range(count):
            place = "b/" * (number % 3 == 1) + f"{number:03} é.png"
            Image.new("RGB", (8, 6), (number, 90, blue)).save(home / place)
        (home / "b !.txt").write_text("text, which comes before the folder b by its letters")
        (home / ".DS_Store").write_bytes(b"hidden")


def upload(store, root="album", prefix="album"):
    for path in sorted(path for path in Path(root).rglob("*") if path.is_file()):
        key = f"{prefix}/{path.relative_to(root).as_posix()}"
        store.client().put_object(Bucket="bucket", Key=key, Body=path.read_bytes())


def results():
    files = [p for place in ("data", "reports") for p in Path(place).rglob("*") if p.is_file()]
    return {path.as_posix(): path.read_bytes() for path in files}


def scraped(**values):
    set_scrape(**values)
    scrape.main()
    return results()


def missed():
    return {row["image_url"].removeprefix("folder:"): row["reason"] for row in read_missed()}


def read_missed():
    return read_table("data/missed.csv")


def names(**values):
    set_scrape(folder=ADDRESS, **values)
    settings = load("scrape").scrape
    found = folder.pictures(settled(load("classes").classes, settings), settings)
    return [item.name for item in found if isinstance(item, sources.Picture)]


def in_folders():
    """As they are drawn."""


def in_shards():
    pack()
    Path("album/Cat/late.png").parent.mkdir(exist_ok=True)
    Image.new("RGB", (9, 9), "black").save("album/Cat/late.png")


def pack():
    for rest in Path("album").glob("*/.DS_Store"):
        rest.unlink()
    for picture in Path("album").glob("*/b/*.png"):
        picture.rename(picture.parents[1] / picture.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "LOOSE", 0)
        patch.setattr(shards, "PER_SHARD", 3)
        shards.pack(Path("album"))
    for home in ("album/Cat", "album/Dog"):
        shutil.rmtree(home)


def in_a_list():
    places = sorted(path.relative_to("album").as_posix() for path in Path("album").rglob("*.png"))
    lines = [f"{place[:3]},./{place},Ann\n" for place in reversed(places)]
    Path("album/pictures.csv").write_text("class,file,author\n" + "".join(lines))


@pytest.mark.parametrize("per_class", [2, 100])
@pytest.mark.parametrize("arrange", [in_folders, in_shards, in_a_list])
def test_a_bucket_gives_what_the_same_folder_gives(project, store, arrange, per_class):
    draw(count=16)
    arrange()
    upload(store)
    on_disk = scraped(per_class=per_class)
    assert len(read_table("data/raw/manifest.csv")) >= min(2 * per_class, 32)
    shutil.rmtree("album")
    assert scraped(folder=ADDRESS) == on_disk


def test_shards_give_the_pictures_of_the_folder_they_were_packed_from(project, store):
    draw()
    loose = scraped(per_class=8)
    pack()
    upload(store)
    packed = scraped(folder=f"{ADDRESS}/")
    pictures = {name: data for name, data in loose.items() if name.endswith(".png")}
    assert len(pictures) == 16
    assert {name: data for name, data in packed.items() if name.endswith(".png")} == pictures


def test_a_shard_beyond_those_needed_is_not_fetched_and_counts_as_a_file(project, store):
    draw(count=40)
    pack()
    upload(store)
    store.client().put_object(Bucket="bucket", Key="album/Cat.013.zip", Body=b"no zip file")
    scraped(folder=ADDRESS, per_class=2)
    assert missed()["Cat"] == "not_needed"
    reasons = next(
        row["reasons"] for row in read_table("reports/scrape.csv") if row["class"] == "Cat"
    )
    assert (
        "10 not_needed" in reasons
    )  # of 14 shards four are opened, with as many pictures as needed
    assert "damaged" not in reasons


def test_what_is_wrong_with_one_object_is_its_row(project, store):
    draw(count=3)
    Path("album/Cat/large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1_000_001))
    Path("album/Cat/empty.png").touch()
    with zipfile.ZipFile("album/Dog.000.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dog/large.png", bytes(1_000_001))
        archive.writestr("../Dog/out.png", b"out")
        archive.writestr("Cat/other.png", b"other")
    Path("album/Dog.001.zip").write_bytes(b"PK\3\4 and no more")
    upload(store)
    scraped(folder=ADDRESS)
    assert missed() == {
        **{"Cat": "hidden", "Dog": "hidden", "Cat/b !.txt": "unknown_format"},
        **{"Cat/large.png": "too_large", "Cat/empty.png": "empty", "Dog.001.zip": "damaged"},
        **{"Dog/b !.txt": "unknown_format", "Dog.000.zip/Dog/large.png": "too_large"},
        **{"Dog.000.zip/../Dog/out.png": "outside", "Dog.000.zip/Cat/other.png": "other_class"},
    }


def test_keys_that_no_disk_has_are_no_error(project, store):
    draw(count=1)
    upload(store)
    cat = Path("album/Cat/000 é.png").read_bytes()
    for number, key in enumerate(("Cat//x.png", "Cat/", "Cat/\N{CAT}", "Cat/b/000 é.png/y.png")):
        data = b"" if key.endswith("/") else cat + bytes([number])
        store.client().put_object(Bucket="bucket", Key=f"album/{key}", Body=data)
    assert names() == ["x.png", "000-.png", "y.png", "-.png", "000-.png"]
    scrape.main()
    written = {path.parent.as_posix() for path in Path("data/raw").rglob("*.png")}
    assert written == {"data/raw/Cat", "data/raw/Dog"}


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("Cat/a.png", "a", "s3://bucket/album has no folder Dog: .* shards .*Dog.000.zip"),
        ("Cat/.a", "a", "s3://bucket/album/Cat/ has no files: class Cat needs some"),
        ("pictures.csv", "class,file\nCat,x.png\n", "/pictures.csv lists x.png, which is no file"),
        ("pictures.csv", "class,file\nCat,../x.png\n", "lists ../x.png, which is outside"),
        ("pictures.csv", "class,file\nDog,x\n", "album/pictures.csv has no line of class Cat"),
        ("pictures.csv", "class\n", "album/pictures.csv has no column file"),
    ],
)
def test_a_bucket_that_lacks_something_is_named(project, store, key, text, message):
    store.client().put_object(Bucket="bucket", Key=f"album/{key}", Body=text.encode())
    with pytest.raises(StudyError, match=message):
        names()


def test_a_bucket_that_is_not_there_is_an_error_of_one_line(project, store):
    set_scrape(folder="s3://nowhere/album")
    with pytest.raises(StudyError, match="s3://nowhere/album cannot be read") as e:
        scrape.main()
    assert "NoSuchBucket" in str(e.value)
    assert "\n" not in str(e.value)


def test_a_client_that_is_not_installed_is_named_with_the_command(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StudyError, match=re.escape(f"takes the client of S3: `{buckets.INSTALL}`")):
        names()


# ---- what breaks off ----------------------------------------------------------------------------


def test_what_was_fetched_is_not_asked_for_again(project, store):
    draw()
    upload(store)
    whole = scraped(folder=ADDRESS)
    store.fail("GET", status=403)  # after six requests: only the first three are made
    assert scraped(folder=ADDRESS) == whole


def test_a_bucket_that_stops_answering_ends_the_stage_and_the_next_one_goes_on(project, store):
    draw()
    upload(store)
    whole = scraped(folder=ADDRESS)
    shutil.rmtree("cache")
    store.fail("GET", status=507)
    with pytest.raises(StudyError, match="s3://bucket/album cannot be read"):
        scraped(folder=ADDRESS)
    assert 0 < len(fetched()) < 16
    store.fault.unlink()
    assert scraped(folder=ADDRESS) == whole


def fetched():
    places = Path("cache/pictures").glob("[0-9a-f]*/*")
    return {path: path.stat().st_mtime_ns for path in places if path.parent.name != "parts"}


def test_a_server_that_fails_once_is_asked_again(project, store, monkeypatch):
    draw(count=2)
    upload(store)
    monkeypatch.setattr(buckets.time, "sleep", lambda _: store.fault.unlink(missing_ok=True))
    whole = scraped(folder=ADDRESS)
    shutil.rmtree("cache")
    store.fail("GET", status=507)
    monkeypatch.setattr(buckets.backoff, "AGAIN", {507})
    assert scraped(folder=ADDRESS) == whole
    assert not store.fault.exists()


def test_a_scrape_that_is_killed_goes_on_to_the_same_bytes(project, store):
    draw(count=120)
    upload(store)
    set_scrape(folder=ADDRESS, per_class=120)
    (project / "stages").symlink_to(ROOT / "stages")
    shutil.copy(ROOT / "requirements.txt", project)
    command = [sys.executable, "-m", "stages.scrape"]
    with subprocess.Popen(command) as process:
        while process.poll() is None and len(fetched()) < 20:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    before = fetched()
    assert 20 <= len(before) < 240
    assert "240 pictures of 2 classes kept" in run(project, *command)
    assert before.items() <= fetched().items()
    killed = results()
    shutil.rmtree("cache")
    assert scraped() == killed


def test_an_object_that_is_changed_or_gone_after_it_was_listed(project, store, tmp_path):
    for key in ("a", "b", "c"):
        store.client().put_object(Bucket="bucket", Key=f"album/{key}", Body=b"as listed")
    bucket = buckets.Bucket(ADDRESS, load("scrape").scrape.download)
    first, second, third = bucket.objects()
    store.client().put_object(Bucket="bucket", Key="album/b", Body=b"another")
    store.client().delete_object(Bucket="bucket", Key="album/c")
    with (tmp_path / "part").open("w+b") as part:
        bucket.fetch(first, part)
        assert (tmp_path / "part").read_bytes() in (b"", b"as listed")
        with pytest.raises(
            StudyError, match="b was changed after it was listed: `dvc repro` reads"
        ):
            bucket.fetch(second, part)
        with pytest.raises(Refusal) as refusal:
            bucket.fetch(third, part)
    assert refusal.value.reason == "http_404"
    bucket.close()


def test_more_objects_than_a_page_are_all_listed_in_their_order(project, store):
    for number in range(1005):
        store.client().put_object(Bucket="bucket", Key=f"album/{number:04}", Body=b"")
    bucket = buckets.Bucket(ADDRESS, load("scrape").scrape.download)
    assert [found.key for found in bucket.objects()] == [f"{number:04}" for number in range(1005)]
    bucket.close()


# ---- with DVC -----------------------------------------------------------------------------------


def first_stages(folder: Path) -> None:
    """A repository with the stages up to `to_rgb` alone, whose pictures soon go into shards."""
    code = shutil.ignore_patterns("__py*")
    for name in ("stages", "data/unset"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True, ignore=code)
    for name in ("requirements.txt", ".dvcignore", ".gitignore", "data/exclude.csv"):
        shutil.copy(ROOT / name, folder / name)
    packing = folder / "stages/pictures/shards.py"
    text = packing.read_text().replace("LOOSE = 10_000", "LOOSE = 4")
    packing.write_text(text.replace("PER_SHARD = 1000", "PER_SHARD = 3"))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    first = {name: stages[name] for name in ("source_code", "scrape", "to_rgb")}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": first}))
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, sys.executable, "-m", "dvc", "init", "--quiet")


def commit(folder: Path) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    run(folder, "git", "add", "--all")
    run(folder, "git", *who, "commit", "--quiet", "--message", "Pictures")


@pytest.mark.slow
def test_dvc_sees_what_changes_in_the_bucket_and_shards_come_back_from_one(
    project, store, tmp_path
):
    draw()
    upload(store)
    set_scrape(folder=ADDRESS)
    first_stages(project)
    shutil.rmtree("album")

    assert stages_run(repro(project)) == {"source_code", "scrape", "to_rgb"}
    assert stages_run(repro(project)) == set()
    store.client().delete_object(Bucket="bucket", Key="album/Cat/000 é.png")
    assert re.search(rf"modified: +{ADDRESS}", dvc(project, "status", "scrape"))
    assert stages_run(repro(project)) == {"scrape", "to_rgb"}
    kept = [row["image_url"] for row in read_table("data/raw/manifest.csv")]
    assert "folder:Cat/000 é.png" not in kept
    assert len(kept) == 10

    packed = [f"{name}.00{number}.zip" for name in ("Cat", "Dog") for number in range(2)]
    assert sorted(path.name for path in Path("data/raw").glob("*.zip")) == packed
    (project / ".dvc/config.local").write_text(store.config("team"))
    commit(project)
    dvc(project, "push", "--quiet")
    expected = {name: data for name, data in results().items() if name.startswith("data/r")}
    theirs = tmp_path.parent / f"{tmp_path.name}-theirs"
    run(tmp_path, "git", "clone", "--quiet", str(project), str(theirs))
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "data")
    (theirs / ".dvc/config.local").write_text(store.config("team"))
    dvc(theirs, "pull", "--quiet")
    os.chdir(theirs)
    assert {n: d for n, d in results().items() if n.startswith("data/r")} == expected
    assert "up to date" in dvc(theirs, "status")


def test_dvc_says_that_the_client_is_not_there(project, store):
    """As docs/share.md and docs/own-images.md quote it."""
    set_scrape(folder=ADDRESS)
    first_stages(project)
    hidden = "import sys; sys.modules['dvc_s3'] = None"
    main = "from dvc.cli import main; sys.exit(main(['repro']))"
    assert "to be installed" in attempt(project, sys.executable, "-c", f"{hidden}; {main}").stderr
