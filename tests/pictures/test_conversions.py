"""What a stage that was killed had converted: taken where it is sound, and of the same bytes."""

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest

from stages.pictures.conversions import Conversions


def row(raw: bytes, file: str = "Cat/a.png") -> dict:
    return {"raw": "Cat/a.jpg", "sha256": hashlib.sha256(raw).hexdigest(), "file": file}


@pytest.fixture
def killed_after(tmp_path):
    """A function that adds pictures and is killed; it returns the folder."""

    def killed_after(*added: tuple[dict, bytes | None]) -> Path:
        with suppress(KeyboardInterrupt), Conversions(tmp_path / "made") as made:
            for each, png in added:
                made.add(each, png)
            raise KeyboardInterrupt
        return tmp_path / "made"

    return killed_after


def test_what_was_converted_is_taken(killed_after):
    with Conversions(killed_after((row(b"raw"), b"png"))) as made:
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") == row(b"raw")
        assert (made.pictures / "Cat/a.png").read_bytes() == b"png"
        assert made.row("Cat/b.jpg", "Cat/b.png", b"raw") is None


def test_a_rejected_picture_needs_no_file(killed_after):
    with Conversions(killed_after((row(b"raw", file=""), None))) as made:
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") == row(b"raw", file="")


@pytest.mark.parametrize(("file", "raw"), [("Cat/a-2.png", b"raw"), ("Cat/a.png", b"other")])
def test_under_another_name_or_of_other_bytes_it_is_not(killed_after, file, raw):
    with Conversions(killed_after((row(b"raw"), b"png"))) as made:
        assert made.row("Cat/a.jpg", file, raw) is None


def test_a_png_that_a_power_cut_has_spoiled_is_not_taken(killed_after):
    with Conversions(killed_after((row(b"raw"), b"png"))) as made:
        (made.pictures / "Cat/a.png").write_bytes(b"\0\0\0")
        assert made.row("Cat/a.jpg", "Cat/a.png", b"raw") is None


def test_lines_after_one_that_a_kill_has_cut_are_read(killed_after):
    lines = killed_after((row(b"raw"), b"png")) / "lines"
    lines.write_text(lines.read_text() + '[{"raw": "Cat/b')
    other = row(b"raw") | {"raw": "Cat/c.jpg", "file": "Cat/c.png"}
    with Conversions(killed_after((other, b"png"))) as made:
        assert made.done.keys() == {"Cat/a.jpg", "Cat/c.jpg"}
