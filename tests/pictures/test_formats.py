"""What a file is, by its content."""

import contextlib
import io
import logging
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.pictures import decoding, formats, images
from stages.pictures.formats import FORMATS, REASONS, NoPictureError, describe, format_of
from tests.web import image_server

SVG = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='40mm' height='3cm'><path d='M0 0H9V9'/></svg>"
)


def encoded(kind, size=(40, 30), **options):
    if kind == "SVG":
        return SVG
    if kind == "ICO":
        size = min(size, (64, 48))
        options |= {"sizes": [size]}
    data = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(data, kind, **options)
    return data.getvalue()


def reason(data):
    with pytest.raises(NoPictureError) as error:
        describe(data)
    return error.value.reason


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_has_its_format_and_size(kind):
    size = (512, 384) if kind == "SVG" else (40, 30)  # a drawing has a shape and no pixels
    assert describe(encoded(kind)) == (kind, *size)


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "ICO", "SVG"]
)
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
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "damaged"),  # of no size
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- a --><svg/>", "damaged"),
        (b"<svg width='9' height='9'", "truncated"),
        (b"<rss version='2.0'></rss>", "text"),
        (b"\n<!doctype html><title>Not here</title>", "html"),
        (b"<HTML><svg ></HTML>", "html"),
        (b"{}", "text"),
        (b"Not found", "unknown_format"),
        (b"%PDF-1.7", "pdf"),
        (b"8BPS\0\1", "photoshop"),
        (b"BMW is a car", "unknown_format"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "unknown_format"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\x89PNG\r\n\x1a\nIEND\xaeB`\x82", "damaged"),
        (b"GIF89a\x3b", "damaged"),
    ],
)
def test_what_is_no_picture_has_a_reason(data, why):
    assert reason(data) == why


def test_a_picture_of_400_million_pixels_is_refused_unopened():
    assert reason(image_server.bomb()) == "too_many_pixels"


@pytest.mark.parametrize(
    "size",
    [
        "viewBox='-5 0 60 20'",
        "viewBox='0 0 .6 .2'",
        "width='3in' height='72pt'",
        "width='288' height='72pt'",
        "width='18pc' height='96px'",
        "width='.6' height='.2'",
        "width='0' height='9' viewBox='0 0 60 20'",
    ],
)
def test_a_drawing_has_the_shape_that_it_says(size):
    data = f"<!DOCTYPE svg><!-- <html> --><svg {size} xmlns='http://www.w3.org/2000/svg'/>".encode()
    assert describe(data) == ("SVG", 512, 171)


def test_an_avif_and_a_heif_of_the_same_family_are_told_apart():
    head = struct.pack(">I4s4sI", 24, b"ftyp", b"mif1", 0)
    for brand, kind in ((b"avif", "AVIF"), (b"heic", "HEIF")):
        assert FORMATS[kind].begins(head + b"miaf" + brand)
        other = {"AVIF": "HEIF", "HEIF": "AVIF"}[kind]
        assert (
            next(name for name in FORMATS if FORMATS[name].begins(head + b"miaf" + brand)) != other
        )


def test_what_pillow_says_of_a_file_is_not_on_the_screen(capfd):
    tiff = bytearray(encoded("TIFF"))
    place = tiff.index(struct.pack("<HHI", 277, 3, 1))  # SamplesPerPixel
    tiff[place + 8 : place + 10] = b"\xff\xff"
    logger = logging.getLogger("PIL")
    logger.propagate = False  # to pytest, whose handler would hide what is seen without
    try:
        assert reason(bytes(tiff)) == "damaged"
    finally:
        logger.propagate = True
    assert capfd.readouterr() == ("", "")


def outcome(data):
    try:
        return describe(data)[0]
    except NoPictureError as error:
        return error.reason


WHOLE = {kind: encoded(kind) for kind in FORMATS}


@settings(max_examples=300)
@given(data=st.data(), kind=st.sampled_from(sorted(FORMATS)))
def test_a_damaged_file_of_any_format_is_a_picture_or_has_a_reason(data, kind):
    changed = bytearray(WHOLE[kind])
    head = st.integers(0, min(100, len(changed)) - 1)
    for place in data.draw(st.lists(head | st.integers(0, len(changed) - 1), max_size=6)):
        changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(changed)) | st.integers(0, len(changed)))
    given_ = bytes(changed[:cut])
    assert outcome(given_) in {*FORMATS, *REASONS}
    if kind != "SVG":  # drawn in a process of its own; tests/pictures/test_svg.py
        with contextlib.suppress(images.PictureError):
            decoding.decode(given_, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_a_picture_without_its_last_byte_is_told(kind):
    assert reason(encoded(kind)[:-1]) == "truncated"


def test_as_many_pixels_as_allowed_are_no_bomb(monkeypatch):
    monkeypatch.setattr(formats, "MAX_PIXELS", 1200)
    assert describe(encoded("PNG")) == ("PNG", 40, 30)
    monkeypatch.setattr(formats, "MAX_PIXELS", 1199)
    assert reason(encoded("PNG")) == "too_many_pixels"


def box(name, content=b"", size=None):
    return struct.pack(">I4s", 8 + len(content) if size is None else size, name) + content


@pytest.mark.parametrize(
    ("after", "whole"),
    [
        (box(b"free"), True),
        (box(b"free", b"abc"), True),
        (box(b"free", b"abc", size=12), False),
        (box(b"free", b"abc", size=0), True),  # to the end of the file
        (box(b"free", b"abc", size=7), False),
        (box(b"free", size=9), False),
        (box(b"free", struct.pack(">Q", 19) + b"abc", size=1), True),  # a length of 64 bits
        (box(b"free", struct.pack(">Q", 20) + b"abc", size=1), False),
        (b"\0\0\0", True),  # less than a box
    ],
)
def test_an_avif_ends_where_its_last_box_does(after, whole):
    data = encoded("AVIF") + after
    assert (describe(data)[0] if whole else reason(data)) == ("AVIF" if whole else "truncated")


@pytest.mark.parametrize("brand", [b"avif", b"avis"])
def test_an_avif_may_name_its_brand_among_others(brand):
    data = encoded("AVIF")
    assert data[8:12] == b"avif"
    head = struct.pack(">I4s4sI", 24, b"ftyp", b"mif1", 0)
    assert format_of(head + b"miaf" + brand) == "AVIF"
    assert format_of(struct.pack(">I4s4sI", 16, b"ftyp", brand, 0)) == "AVIF"
    # What comes after the box is no brand, nor is the version: mif1 alone is a HEIF.
    assert format_of(struct.pack(">I4s4sI", 16, b"ftyp", b"mif1", 0) + brand) == "HEIF"
    assert format_of(struct.pack(">I4s4s4s", 20, b"ftyp", b"mif1", brand) + b"miaf") == "HEIF"


def test_text_that_starts_with_bm_is_no_bitmap():
    assert reason(b"BMW and other cars") == "unknown_format"
    assert reason(b"BM" + bytes(4) + b"\0\0\1\0" + bytes(50)) == "unknown_format"


def test_a_gif_may_end_in_zeros_and_in_nothing_else():
    data = encoded("GIF")
    assert describe(data + bytes(50)) == ("GIF", 40, 30)
    assert reason(data + b"and more") == "truncated"


def test_an_icon_ends_where_the_last_of_its_sizes_does():
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "ICO", sizes=[(16, 16), (32, 24)])
    data = file.getvalue()
    assert int.from_bytes(data[4:6], "little") == 2
    assert describe(data)[0] == "ICO"
    assert reason(data[:-1]) == "truncated"


@pytest.mark.parametrize(
    "head",
    [
        *(b"RIFF\0\0\0\0WAVE", b"XIFF\0\0\0\0WEBP", b"MM*\0", b"II\0*"),
        *(b"\0\0\1\0\0\0", b"\0\0\1\0\0\1"),  # icons of no picture and of 256
    ],
)
def test_a_head_that_is_half_right_is_unknown(head):
    assert reason(head + bytes(60)) == "unknown_format"


def test_a_big_endian_tiff_is_one():
    head = b"MM\0*" + struct.pack(">IH", 8, 0)
    assert format_of(head) == "TIFF"
