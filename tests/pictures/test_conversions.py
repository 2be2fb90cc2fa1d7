"""What a stage that was killed had converted: taken where it is sound, and of the same bytes."""

import hashlib
from contextlib import suppress

import pytest

from stages.pictures.conversions import Conversions


def row(raw: bytes, file: str = "Cat/a.png") -> dict:
    return {"raw": "Cat/a.jpg", "sha256": hashlib.sha256(raw).hexdigest(), "file": file}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def killed_after(*added: tuple[dict, bytes | None], key: str = "one") -> None:
    with suppress(KeyboardInterrupt), Conversions(key) as made:
        for each, png in added:
            made.add(each, png)
        raise KeyboardInterrupt


def test_what_was_converted_is_taken_and_gone_at_the_end(tmp_path):
    killed_after((row(b"raw"), b"png"))
    with Conversions("one") as made:
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") == row(b"raw")
        assert (made.pictures / "Cat/a.png").read_bytes() == b"png"
        assert made.row("Cat/b.jpg", "Cat/b.png", b"raw") is None
    assert not [*tmp_path.rglob("*.png")]


def test_a_rejected_picture_needs_no_file():
    killed_after((row(b"raw", file=""), None))
    with Conversions("one") as made:
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") == row(b"raw", file="")


@pytest.mark.parametrize(
    ("key", "file", "raw"),
    [("two", "Cat/a.png", b"raw"), ("one", "Cat/a-2.png", b"raw"), ("one", "Cat/a.png", b"other")],
)
def test_of_other_settings_under_another_name_or_of_other_bytes_it_is_not(key, file, raw):
    killed_after((row(b"raw"), b"png"))
    with Conversions(key) as made:
        assert made.row("Cat/a.jpg", file, raw) is None


def test_a_png_that_a_power_cut_has_spoiled_is_not_taken():
    killed_after((row(b"raw"), b"png"))
    with Conversions("one") as made:
        (made.pictures / "Cat/a.png").write_bytes(b"\0\0\0")
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") is None


def test_lines_after_one_that_a_kill_has_cut_are_read():
    killed_after((row(b"raw"), b"png"))
    with suppress(KeyboardInterrupt), Conversions("one") as made:
        made.lines.write_text(made.lines.read_text() + '[{"raw": "Cat/b')
        raise KeyboardInterrupt
    killed_after((row(b"raw") | {"raw": "Cat/c.jpg", "file": "Cat/c.png"}, b"png"))
    with Conversions("one") as made:
        assert made.done.keys() == {"Cat/a.jpg", "Cat/c.jpg"}
