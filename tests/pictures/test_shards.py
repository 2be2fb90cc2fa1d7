"""Many pictures in few files: the same names, the same bytes, and the study does not notice."""

import zipfile
from pathlib import Path

import pytest
from PIL import Image

from stages import checks, split, to_rgb
from stages.pictures import shards
from stages.pictures.datasets import read_pixels
from stages.tables import read_table

RAW, RGB = Path("data/raw"), Path("data/rgb")


@pytest.fixture
def few(monkeypatch):
    """Shards from the fifth picture on, of three each."""
    monkeypatch.setattr(shards, "LOOSE", 4)
    monkeypatch.setattr(shards, "PER_SHARD", 3)


def put(folder: Path, *files: str) -> dict[str, bytes]:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode() * 99)
    return {file: file.encode() * 99 for file in files}


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_few_pictures_stay_files_in_class_folders(tmp_path, few):
    written = put(tmp_path, "Cat/a.png", "Cat/b.png", "Dog/a.png", "Dog/ü.png")
    shards.pack(tmp_path)
    assert everything(tmp_path) == written
    assert shards.listing(tmp_path) == written.keys()
    assert shards.read(tmp_path, "Dog/ü.png") == written["Dog/ü.png"]


def test_many_are_packed_by_class_and_read_by_their_names(tmp_path, few):
    written = put(tmp_path, *(f"Cat/{n}.png" for n in range(7)), "Dog 2/ü.png")
    (tmp_path / "manifest.csv").write_text("stays")
    shards.pack(tmp_path)
    packed = ["Cat.000.zip", "Cat.001.zip", "Cat.002.zip", "Dog 2.000.zip"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*packed, "manifest.csv"]
    assert {file: shards.read(tmp_path, file) for file in shards.listing(tmp_path)} == written


def test_unpacked_they_are_the_class_folders_again(tmp_path, few):
    written = put(tmp_path / "data", *(f"Cat/{n}.png" for n in range(5)), "Dog/a.png")
    shards.pack(tmp_path / "data")
    for shard in (tmp_path / "data").iterdir():
        zipfile.ZipFile(shard).extractall(tmp_path / "unpacked")
    assert everything(tmp_path / "unpacked") == written


def test_the_same_pictures_give_the_same_bytes(tmp_path, few):
    files = [f"Cat/{n}.png" for n in range(9)]
    put(tmp_path / "one", *files)
    put(tmp_path / "two", *reversed(files))
    shards.pack(tmp_path / "one")
    shards.pack(tmp_path / "two")
    assert everything(tmp_path / "one") == everything(tmp_path / "two")


def test_pictures_written_after_a_look_are_seen(tmp_path, few):
    assert shards.listing(tmp_path / "data") == set()
    put(tmp_path / "data", "Cat/a.png")
    assert shards.listing(tmp_path / "data") == {"Cat/a.png"}
    more = put(tmp_path / "data", *(f"Dog/{n}.png" for n in range(5)))
    shards.pack(tmp_path / "data")
    assert shards.read(tmp_path / "data", "Dog/4.png") == more["Dog/4.png"]
    assert shards.read(tmp_path / "data", "Cat/a.png")


def test_a_picture_that_is_not_there_is_missing_as_a_file_is(tmp_path, few):
    put(tmp_path, *(f"Cat/{n}.png" for n in range(5)))
    shards.pack(tmp_path)
    with pytest.raises(FileNotFoundError):
        shards.read(tmp_path, "Cat/5.png")


def test_more_shards_are_read_than_files_may_be_open(tmp_path, few, monkeypatch):
    written = put(tmp_path, *(f"Cat/{n:03}.png" for n in range(600)))
    shards.pack(tmp_path)
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, limits[1]))
    try:
        assert {file: shards.read(tmp_path, file) for file in sorted(written)} == written
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_study_is_the_same_with_shards_as_without(study, list_raw, monkeypatch):
    for number in range(24):
        path = study / RAW / "CatDog"[number % 2 * 3 :][:3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((80 + number, 90), 20 + number * 9).save(path)
    list_raw()

    def results() -> list:
        to_rgb.main()
        split.main()
        checks.main()
        files = [row["file"] for row in read_table("data/split.csv")]
        made = ["data/rgb/manifest.csv", "data/split.csv", "reports/flagged.csv"]
        sheets = sorted(Path("reports/contact_sheets").iterdir())
        read = [Path(path).read_bytes() for path in [*made, *sheets]]
        return [*read, read_pixels(files, 32, "#ffffff").tobytes()]

    loose = results()
    assert not list(RGB.glob("*.zip"))
    monkeypatch.setattr(shards, "LOOSE", 4)
    monkeypatch.setattr(shards, "PER_SHARD", 5)
    shards.pack(study / RAW)
    assert results() == loose
    packed = [f"{name}.00{number}.zip" for name in ("Cat", "Dog") for number in range(3)]
    assert sorted(path.name for path in RAW.glob("*.zip")) == packed
    assert sorted(path.name for path in RGB.glob("*.zip")) == packed
    assert not list(RGB.glob("*/*"))


def test_a_picture_missing_from_the_shards_is_a_rejected_row(study, list_raw, few):
    for number in range(5):
        path = study / RAW / f"Cat/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    shards.pack(study / RAW)
    list_raw(*(f"Cat/{number}.png" for number in range(6)))
    to_rgb.main()
    ends = [row["reason"] for row in read_table(RGB / "manifest.csv")]
    assert ends == [*[""] * 5, "missing, though the manifest lists it"]


def test_a_shard_holds_at_most_its_number_of_one_class_as_they_are_and_without_a_date(
    tmp_path, few
):
    put(tmp_path, *(f"Cat/{n}.png" for n in range(7)))
    shards.pack(tmp_path)
    entries = [zipfile.ZipFile(path).infolist() for path in sorted(tmp_path.glob("*.zip"))]
    assert [len(part) for part in entries] == [3, 3, 1]
    for entry in (entry for part in entries for entry in part):
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_a_shard_that_is_written_anew_is_read_anew(tmp_path, few):
    put(tmp_path, *(f"Cat/{n}.png" for n in range(5)))
    shards.pack(tmp_path)
    assert shards.read(tmp_path, "Cat/0.png") == b"Cat/0.png" * 99
    for shard in tmp_path.glob("*.zip"):
        shard.unlink()
    put(tmp_path, *(f"Cat/{n}.png" for n in range(1, 6)))
    (tmp_path / "Cat/1.png").write_bytes(b"another")
    shards.pack(tmp_path)
    assert shards.listing(tmp_path) == {f"Cat/{n}.png" for n in range(1, 6)}
    assert shards.read(tmp_path, "Cat/1.png") == b"another"


def test_a_class_folder_with_something_else_in_it_stays(tmp_path, few):
    put(tmp_path, *(f"Cat/{n}.png" for n in range(5)), "Cat/drafts/a.png")
    shards.pack(tmp_path)
    assert (tmp_path / "Cat/drafts/a.png").exists()
    assert [path.name for path in (tmp_path / "Cat").iterdir()] == ["drafts"]
