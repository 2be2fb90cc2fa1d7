"""What a file is, by its content."""

import contextlib
import io
import random

import pytest
from PIL import Image

from stages.pictures.formats import SUFFIXES, NoPictureError, describe
from tests.web import image_server


def encoded(kind, size=(40, 30), **options):
    data = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(data, kind, **options)
    return data.getvalue()


def reason(data):
    with pytest.raises(NoPictureError) as error:
        describe(data)
    return error.value.reason


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_picture_has_its_format_and_size(kind):
    assert describe(encoded(kind)) == (kind, 40, 30)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_picture_cut_short_is_told(kind, share):
    data = encoded(kind, (300, 200))
    assert reason(data[: int(len(data) * share)]) in ("truncated", "damaged")


def test_a_jpeg_cut_short_is_told_though_its_thumbnail_is_whole():
    exif = Image.Exif()
    exif[0x927C] = encoded("JPEG", (16, 12))  # inside the head, with an end mark of its own
    data = encoded("JPEG", (300, 200), exif=exif)
    assert describe(data) == ("JPEG", 300, 200)
    assert reason(data[:-100]) == "truncated"


@pytest.mark.parametrize(
    "trailer", [b"\0\0\0", b"\n", b"\r\n<!-- cached -->"], ids=["zeros", "newline", "words"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_a_server_adds_at_the_end_does_no_harm(kind, trailer):
    assert describe(encoded(kind) + trailer) == (kind, 40, 30)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- a --><svg/>", "text"),
        (b"\n<!doctype html><title>Not here</title>", "html"),
        (b"<HTML><svg ></HTML>", "svg"),
        (b"{}", "text"),
        (b"Not found", "unknown_format"),
        (b"%PDF-1.7", "unknown_format"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "unknown_format"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "unknown_format"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82", "damaged"),
        (b"GIF89a\x3b", "damaged"),
    ],
)
def test_what_is_no_picture_has_a_reason(data, why):
    assert reason(data) == why


def test_a_picture_of_400_million_pixels_is_refused_unopened():
    assert reason(image_server.bomb()) == "too_many_pixels"


def test_bytes_at_random_never_raise_anything_else():
    whole = {kind: encoded(kind) for kind in SUFFIXES}
    dice = random.Random(0)
    for _ in range(1500):
        data = bytearray(whole[dice.choice(list(SUFFIXES))])
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(NoPictureError):
            describe(bytes(data))
