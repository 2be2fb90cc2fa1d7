"""stages/sources/archives.py: shards from anyone, whatever they say of themselves."""

import io
import os
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pictures import shards
from stages.sources import archives

LIMIT = 5000  # bytes of a member
CAT = b"not a picture, but bytes " * 9
BAD = {"outside", "other_class", "damaged", "too_large", "encrypted", "unknown_compression"}
NAMES = st.one_of(
    st.sampled_from(
        ["Cat/a.png", "Cat/b/c.png", "Cat/", "Cat", "Dog/a.png", "Cat\\a.png", "C:/a.png"]
    ),
    st.sampled_from(["/etc/passwd", "../a.png", "Cat/../../a.png", "Cat//a.png", "Cat/./a.png"]),
    st.sampled_from(["Cat/.DS_Store", "__MACOSX/Cat/._a.png", "Cat/Thumbs.db", ".", "..", "/"]),
    st.text(min_size=1, max_size=20).map("Cat/{}".format),
    st.text(min_size=1, max_size=20),
)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
MEMBERS = st.lists(st.tuples(NAMES, st.binary(max_size=LIMIT + 100), st.sampled_from(METHODS)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("archives") / "Cat.000.zip"


def packed(*members):
    """A zip file of (name, bytes, method), some of which twice."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data, method in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, data)
    return content.getvalue()


def stored(*names, data=CAT):
    return packed(*((name, data, zipfile.ZIP_STORED) for name in names))


def read(place, content, limit=LIMIT):
    place.write_bytes(content)
    number, files = archives.members(place, "Cat.000.zip", "Cat", limit)
    found = list(files)
    assert len(found) == number
    assert all(len(file.data) <= limit for file in found)
    assert not [file for file in found if file.reason and file.data]
    return found


def ends(place, content, **kwargs):
    prefix = "Cat.000.zip/"
    return {f.place.removeprefix(prefix): f.reason for f in read(place, content, **kwargs)}


def test_a_shard_of_this_study_gives_its_class_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LOOSE", 2)
    (tmp_path / "Cat").mkdir()
    for name in ("b.png", "a.png", "c.png"):
        (tmp_path / "Cat" / name).write_bytes(name.encode())
    shards.pack(tmp_path)
    number, files = archives.members(tmp_path / "Cat.000.zip", "Cat.000.zip", "Cat", LIMIT)
    assert number == 3
    assert [(file.place, file.data) for file in files] == [
        (f"Cat.000.zip/Cat/{name}", name.encode()) for name in ("a.png", "b.png", "c.png")
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(members=MEMBERS)
def test_every_member_is_taken_as_it_is_or_has_a_reason(place, members):
    found = read(place, packed(*members))
    written = [data for _, data, _ in members]
    for file in found:
        parts = file.place.split("/")[1:]
        assert file.data in written or file.reason in {*BAD, "hidden"}
        if not file.reason:
            assert parts[0] == "Cat"
            assert len(parts) > 1
            assert not {"", ".", ".."} & set(parts)
    counted = sum(file.count for file in found)
    assert counted == sum(not name.endswith("/") for name, _, _ in members)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(
    members=MEMBERS.filter(bool),
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4))),
    cut=st.integers(0, 40),
)
def test_bytes_of_anyone_are_no_error(place, members, changes, cut):
    content = bytearray(packed(*members))
    for position, data in changes:
        at = position % len(content)
        content[at : at + len(data)] = data
    read(place, bytes(content[: len(content) - cut]))


@given(content=st.binary(max_size=200))
def test_what_is_no_archive_is_one_damaged_file(place, content):
    assert ends(place, content) == {"Cat.000.zip": "damaged"}


def test_names_that_lead_elsewhere_are_not_taken(place):
    names = ("/a.png", "../a.png", "Cat/../a.png", "Cat\\a.png", "Dog/a.png", "a.png", "Cat/a.png")
    found = ends(place, stored(*names))
    assert [found[name] for name in names] == [*["outside"] * 4, *["other_class"] * 2, ""]


@pytest.mark.parametrize("name", ["Cat/a.png\0.txt", "Cat/\0a.png", "\0"])
def test_a_name_that_ends_within_itself_is_not_taken(place, name):
    content = stored(name.replace("\0", "#")).replace(
        name.replace("\0", "#").encode(), name.encode()
    )
    assert ends(place, content) == {name.partition("\0")[0]: "outside"}


def test_hidden_members_are_counted_in_one(place):
    content = stored("Cat/a.png", "Cat/.DS_Store", "__MACOSX/Cat/._a.png")
    assert [(file.place, file.reason, file.count) for file in read(place, content)] == [
        ("Cat.000.zip", "hidden", 2),
        ("Cat.000.zip/Cat/a.png", "", 1),
    ]


def test_a_member_larger_than_a_picture_may_be_is_not_unpacked(place):
    content = packed(("Cat/a.png", bytes(50_000_000), zipfile.ZIP_DEFLATED))
    tracemalloc.start()
    assert ends(place, content) == {"Cat/a.png": "too_large"}
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_member_larger_than_it_says_is_not_unpacked_beyond_that(place):
    content = packed(("Cat/a.png", bytes(50_000_000), zipfile.ZIP_DEFLATED))
    content = content.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 100))
    tracemalloc.start()
    assert ends(place, content) == {"Cat/a.png": "damaged"}
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_list_of_members_of_a_gigabyte_is_not_read(place):
    with place.open("wb") as file:
        os.ftruncate(file.fileno(), 1 << 30)
        file.seek(1 << 30)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 1 << 30, 0, 0))
    tracemalloc.start()
    _, files = archives.members(place, "Cat.000.zip", "Cat", LIMIT)
    assert [file.reason for file in files] == ["damaged"]
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    place.unlink()


def test_too_many_members_and_too_much_in_all_are_a_bomb(place, monkeypatch):
    names = [f"Cat/{number}.png" for number in range(6)]
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    assert ends(place, stored(*names)) == {"Cat.000.zip": "zip_bomb"}
    monkeypatch.setattr(archives, "UNPACKED", 100)
    assert set(ends(place, stored(*names[:5])).values()) == {""}
    bomb = packed(*((name, bytes(LIMIT), zipfile.ZIP_DEFLATED) for name in names[:5]))
    monkeypatch.setattr(archives, "RATIO", 10)
    assert ends(place, bomb) == {"Cat.000.zip": "zip_bomb"}


def test_what_takes_a_password_or_another_method_is_not_taken(place):
    content = bytearray(stored("Cat/a.png"))
    content[content.index(b"PK\1\2") + 8] |= 1
    assert ends(place, bytes(content)) == {"Cat/a.png": "encrypted"}
    lzma = packed(("Cat/a.png", CAT, zipfile.ZIP_LZMA))
    assert ends(place, lzma) == {"Cat/a.png": "unknown_compression"}
