"""The store of downloaded pictures: what it keeps, and what it is after a crash."""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stages.sources.store import Entry, Store

URL = "https://example.org/cat.png"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pictures"


def entry(data, url=URL):
    return Entry(url, sha256=hashlib.sha256(data).hexdigest(), format="PNG", bytes=len(data))


def keep(folder, data=b"cat", url=URL):
    with Store(folder) as store:
        store.keep(entry(data, url), data)


def note(folder, reason, url=URL):
    with Store(folder) as store:
        store.note(Entry(url, reason=reason))


def found(folder, url=URL):
    with Store(folder) as store:
        return store.find(url)


def place(folder, data=b"cat"):
    with Store(folder) as store:
        return store.path(entry(data).sha256)


def test_what_was_kept_is_found_by_the_next_run(folder):
    keep(folder)
    assert found(folder) == entry(b"cat")
    assert place(folder).read_bytes() == b"cat"
    assert found(folder, "https://example.org/dog.png") is None


def test_why_there_is_no_picture_is_found_too(folder):
    note(folder, "http_404")
    assert found(folder).reason == "http_404"


def test_the_last_line_of_a_url_counts(folder):
    note(folder, "http_404")
    keep(folder)
    assert found(folder).sha256


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_line_cut_short_is_none_and_the_next_one_is_whole(folder, cut):
    keep(folder, b"dog", "https://example.org/dog.png")
    keep(folder)
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    if cut > 1:  # without its newline alone a line is whole
        assert found(folder) is None
    keep(folder, b"new", "https://example.org/new.png")
    assert found(folder, "https://example.org/new.png") == entry(
        b"new", "https://example.org/new.png"
    )
    assert found(folder, "https://example.org/dog.png")


def test_lines_that_are_no_entries_are_passed_over(folder):
    folder.mkdir()
    lines = [b"\0" * 50, b"[1]", b'{"url": 3}', b'{"url": "a"}', b'{"url": "a", "width": "x"}']
    lines += [b'{"url": "a", "reason": "x", "more": 1}', b"\xff\xfe", b"", b"null"]
    (folder / "journal.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert found(folder, "a") is None
    keep(folder)
    assert found(folder)


@pytest.mark.parametrize("damage", [b"", b"ca", b"cAt"])
def test_a_picture_that_is_damaged_is_as_good_as_none_and_is_mended(folder, damage):
    keep(folder)
    path = place(folder)
    path.write_bytes(damage)
    assert found(folder) is None
    keep(folder)
    assert path.read_bytes() == b"cat"
    assert found(folder)


def test_a_picture_that_was_removed_is_none(folder):
    keep(folder)
    place(folder).unlink()
    assert found(folder) is None


def test_one_picture_of_two_urls_lies_there_once(folder):
    keep(folder)
    keep(folder, url="https://example.org/copy.png")
    assert len([p for p in folder.rglob("*") if p.is_file()]) == 2  # it and the journal


def test_two_processes_may_write(folder):
    with Store(folder) as one, Store(folder) as other:
        for number in range(20):
            store = (one, other)[number % 2]
            store.keep(entry(b"%d" % number, f"{URL}?{number}"), b"%d" % number)
        assert one.find(f"{URL}?0")
        assert other.find(f"{URL}?19")
    assert all(found(folder, f"{URL}?{number}") for number in range(20))


def test_threads_find_what_they_keep(folder):
    lost = []

    def work(store, part):
        for number in range(40):
            data, url = b"%d-%d" % (part, number), f"{URL}?{part}-{number}"
            store.keep(entry(data, url), data)
            if store.find(url) != entry(data, url):
                lost.append(url)

    with Store(folder) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [store] * 8, range(8)))
    assert lost == []
    lines = (folder / "journal.jsonl").read_bytes().splitlines()
    assert len({json.loads(line)["url"] for line in lines}) == 320


def test_what_a_killed_run_was_writing_goes_after_a_day(folder):
    keep(folder)
    old, new = folder / "parts/old", folder / "parts/new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    assert found(folder)
    assert not old.exists()
    assert new.exists()


def test_a_url_of_any_text_can_be_kept(folder):
    url = "https://example.org/\ud800\n\t\"'日本.png" + "x" * 9000
    note(folder, "bad_url", url)
    assert found(folder, url).reason == "bad_url"
