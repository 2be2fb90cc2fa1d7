"""decoding.py and images.py on pictures drawn here, in every mode and format a search brings."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from stages.pictures import decoding, images

WHITE = "#ffffff"
RED = (255, 0, 0)


def saved(picture: Image.Image, format_: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_, **options)
    return file.getvalue()


def converted(data: bytes, background: str = WHITE) -> Image.Image:
    picture = images.to_rgb(decoding.decode(data, 50), background)
    assert picture.mode == "RGB"
    assert not picture.info
    return picture


def colours(data: bytes, background: str = WHITE) -> list:
    return list(converted(data, background).get_flattened_data())


def png(colour_type: int, depth: int, row: bytes, *chunks: tuple[bytes, bytes], width=2) -> bytes:
    """A PNG of one row, written by hand: Pillow itself writes few of the kinds that exist."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_half_transparent_red_on_white_is_pink():
    assert colours(saved(Image.new("RGBA", (1, 1), (255, 0, 0, 128)))) == [(255, 127, 127)]


def test_what_is_hidden_under_full_transparency_does_not_show():
    data = saved(Image.new("RGBA", (1, 1), (255, 0, 0, 0)))
    assert colours(data, "#102030") == [(0x10, 0x20, 0x30)]


def test_colours_are_not_taken_for_multiplied_by_their_alpha():
    data = saved(Image.new("RGBA", (1, 1), (128, 128, 128, 128)))
    assert colours(data) == [(191, 191, 191)]


@pytest.mark.parametrize(("kind", "stored"), [(1, (100, 50, 20, 128)), (2, (200, 100, 40, 128))])
def test_alpha_of_a_tiff_is_divided_out_where_it_is_multiplied_in(kind, stored):
    data = saved(Image.new("RGBA", (4, 4), stored), "TIFF")
    entry = struct.pack("<HHI", 338, 3, 1)  # ExtraSamples: 1 is multiplied in, 2 is not
    assert data.count(entry) == 1
    data = data.replace(entry + b"\2", entry + bytes([kind]))
    assert np.allclose(colours(data)[0], (227, 177, 147), atol=2)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("1 bit", png(0, 1, b"\x80"), [WHITE, "#000000"]),
        ("1 bit, black clear", png(0, 1, b"\x80", (b"tRNS", b"\0\0")), [WHITE, "#00ff00"]),
        ("1 bit, white clear", png(0, 1, b"\x80", (b"tRNS", b"\0\1")), ["#00ff00", "#000000"]),
        ("2 bits, 1 clear", png(0, 2, b"\xd0", (b"tRNS", b"\0\1")), [WHITE, "#00ff00"]),
        ("4 bits, 7 clear", png(0, 4, b"\xf7", (b"tRNS", b"\0\7")), [WHITE, "#00ff00"]),
        ("4 bits, 0 clear", png(0, 4, b"\xf0", (b"tRNS", b"\0\0")), [WHITE, "#00ff00"]),
        ("8 bits", png(0, 8, b"\x07\xff"), ["#070707", WHITE]),
        ("8 bits, 7 clear", png(0, 8, b"\x07\xff", (b"tRNS", b"\0\7")), ["#00ff00", WHITE]),
        ("16 bits", png(0, 16, b"\xff\xff\x80\x00"), [WHITE, "#808080"]),
        ("16 bits, dark", png(0, 16, b"\x01\x01\x00\xff"), ["#010101", "#010101"]),
        (
            "16 bits, one clear",
            png(0, 16, b"\x80\x01\x80\x00", (b"tRNS", b"\x80\x00")),
            ["#808080", "#00ff00"],
        ),
        ("grey, alpha", png(4, 8, b"\x50\xff\x50\x00"), ["#505050", "#00ff00"]),
        ("16 bits, alpha", png(4, 16, b"\x50\x50\xff\xff\x50\x50\0\0"), ["#505050", "#00ff00"]),
        ("RGB, one clear", png(2, 8, b"abcxyz", (b"tRNS", b"\0a\0b\0c")), ["#00ff00", "#78797a"]),
        (
            "16-bit RGB, one clear",
            png(2, 16, b"\xff\xff\x80\0\0\xff" + b"\0\0" * 3, (b"tRNS", b"\xff\xff\x80\0\0\xff")),
            ["#00ff00", "#000000"],
        ),
        ("16-bit RGB", png(2, 16, b"\xff\xff\x80\0\0\xff" + b"\0\0" * 3), ["#ff8000", "#000000"]),
        (
            "16-bit RGBA",
            png(6, 16, b"\xff\xff\x80\0\0\xff\xff\xff" + b"\0\0" * 4),
            ["#ff8000", "#00ff00"],
        ),
        ("palette", png(3, 8, b"\0\1", (b"PLTE", b"abcxyz")), ["#616263", "#78797a"]),
        (
            "palette, one clear",
            png(3, 8, b"\0\1", (b"PLTE", b"abcxyz"), (b"tRNS", b"\xff\0")),
            ["#616263", "#00ff00"],
        ),
        (
            "palette, one half",
            png(3, 8, b"\0\1", (b"PLTE", b"\xff\0\0xyz"), (b"tRNS", b"\x80")),
            ["#807f00", "#78797a"],
        ),
    ],
)
def test_a_png_of_every_kind_on_green(name, data, expected):
    rgb = [tuple(bytes.fromhex(colour[1:])) for colour in expected]
    assert colours(data, "#00ff00") == rgb, name


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(format_):
    ramp = Image.fromarray(np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16))
    grey = np.array(converted(saved(ramp, format_)))[..., 0].ravel()
    assert grey.tolist() == list(range(256))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_32_bits_are_refused(mode):
    with pytest.raises(images.PictureError, match=f"pixels of mode {mode}"):
        converted(saved(Image.new(mode, (2, 2)), "TIFF"))


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "YCbCr"])
def test_white_stays_white_in_every_mode_of_a_jpeg_or_tiff(mode):
    white = Image.new("RGB", (8, 8), WHITE).convert(mode)
    # Pillow 12, of Python 3.10, cannot read the YCbCr TIFF that it writes itself.
    for format_ in ["JPEG"] if mode == "YCbCr" else ["TIFF", "JPEG"]:
        assert colours(saved(white, format_))[0] == (255, 255, 255)


def test_an_inverted_cmyk_jpeg_of_adobe_has_its_colours():
    data = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data[:100]
    assert np.allclose(colours(data)[0], RED, atol=6)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_stands_upright(format_, orientation):
    upright = Image.new("RGB", (64, 32), WHITE)
    upright.paste(RED, (0, 0, 32, 16))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose, by EXIF orientation
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = converted(saved(stored, format_, exif=exif.tobytes()))
    assert picture.size == (64, 32)
    corners = [picture.getpixel(place) for place in [(8, 8), (56, 8), (8, 24), (56, 24)]]
    assert [green > 128 for _, green, _ in corners] == [False, True, True, True]


def test_a_broken_exif_block_leaves_the_picture_as_it_is():
    data = saved(Image.new("RGB", (8, 4), RED), exif=b"Exif\0\0II*\0\xff\xff\xff\xffjunk")
    assert converted(data).size == (8, 4)


def swapped() -> bytes:
    """An ICC profile in which red and green have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_colours_go_through_the_embedded_profile():
    data = saved(Image.new("RGB", (1, 1), RED), icc_profile=swapped())
    assert np.allclose(colours(data)[0], (0, 255, 0), atol=2)


def test_transparency_survives_a_profile():
    data = saved(Image.new("RGBA", (1, 1), (255, 0, 0, 128)), icc_profile=swapped())
    assert np.allclose(colours(data)[0], (127, 255, 127), atol=2)


def linear() -> bytes:
    """An ICC profile whose levels are light itself: its exponent 2.4 and all else of sRGB's curve
    become those of a straight line."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    start = profile.index(b"para") + 12
    old, one = profile[start : start + 20], (1 << 16).to_bytes(4, "big")
    return profile.replace(old, one + one + bytes(4) + one + bytes(4))


def test_grey_goes_through_a_colour_profile_and_stays_grey():
    data = saved(Image.new("L", (1, 1), 55), icc_profile=linear())
    assert np.allclose(colours(data)[0], (128, 128, 128), atol=2)


def grey_profile() -> bytes:
    """An ICC profile of grey alone, whose levels are light itself: a header and two tags."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)  # D50
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, 256, 0)  # the exponent 1
    table = struct.pack(">I", 2)
    table += b"wtpt" + struct.pack(">II", 156, len(white))
    table += b"kTRC" + struct.pack(">II", 156 + len(white), len(curve))
    body = table + white + curve
    head = struct.pack(">I", 128 + len(body)) + bytes(4) + b"\2\x10\0\0mntrGRAYXYZ "
    head += bytes(12) + b"acsp" + bytes(28) + white[8:]
    return head.ljust(128, b"\0") + body


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_goes_through_a_profile_of_grey(mode):
    data = saved(Image.new("L", (1, 1), 55).convert(mode), icc_profile=grey_profile())
    assert np.allclose(colours(data)[0], (128, 128, 128), atol=2)


def test_a_profile_of_grey_says_nothing_of_colours():
    assert colours(saved(Image.new("RGB", (1, 1), RED), icc_profile=grey_profile())) == [RED]


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 128, swapped()[:200]])
def test_a_broken_profile_is_as_none(profile):
    assert colours(saved(Image.new("RGB", (1, 1), RED), icc_profile=profile)) == [RED]


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_is_taken(format_):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ["red", "blue", "green"]]
    data = saved(frames[0], format_, save_all=True, append_images=frames[1:])
    assert np.allclose(colours(data)[0], RED, atol=4)


def test_a_gif_with_a_clear_colour():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 1)
    assert colours(saved(picture, "GIF", transparency=1)) == [RED, (255, 255, 255)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"\xef\xbb\xbf \n<!DOCTYPE HTML><p>Not found", "a web page, not a picture"),
        (b'<?xml version="1.0"?><!-- x -->\n<svg xmlns="a"/>', "damaged SVG: its root is {a}svg"),
        (b"<svg viewBox='0 0 9 9' xmlns='http://www.w3.org/2000/svg'>", "truncated SVG"),
        (b'{"status": 404}', "text, not a picture"),
        (b"hello", "unknown format, none of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "postscript, which is not read"),
        (b"\x89PNG\r\n\x1a\n", "truncated or damaged PNG"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_content(data, reason):
    with pytest.raises(images.PictureError, match=f"^{reason}"):
        decoding.decode(data, 50)


def noise(mode: str, size: int = 48) -> Image.Image:
    levels = np.random.default_rng([3, 0]).integers(0, 256, (size, size, 3), np.uint8)
    return Image.fromarray(levels).convert(mode)


EVERY_FORMAT = {
    "PNG": saved(noise("RGBA")),
    "palette PNG": saved(noise("P")),
    "JPEG": saved(noise("RGB"), "JPEG"),
    "CMYK JPEG": saved(noise("CMYK"), "JPEG"),
    "GIF": saved(noise("P"), "GIF"),
    "WEBP": saved(noise("RGBA"), "WEBP", lossless=True),
    "AVIF": saved(noise("RGB"), "AVIF", speed=9),
    "BMP": saved(noise("RGB"), "BMP"),
    "TIFF": saved(noise("RGB"), "TIFF"),
    "HEIF": saved(noise("RGB"), "HEIF"),
    "ICO": saved(noise("RGBA"), "ICO", sizes=[(48, 48)]),
    "old ICO": saved(noise("RGBA"), "ICO", sizes=[(48, 48)], bitmap_format="bmp"),
    "PPM": saved(noise("RGB"), "PPM"),
    "packed TIFF": saved(noise("RGB"), "TIFF", compression="tiff_lzw"),
    "profiled PNG": saved(noise("RGB", 8), icc_profile=swapped()),
    "turned JPEG": saved(
        noise("L"), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01"
    ),
}


@pytest.mark.parametrize(
    "name", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "ICO", "PPM"]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_called_so(name, share):
    data = EVERY_FORMAT[name]
    with pytest.raises(images.PictureError, match=f"^truncated.* {name}"):
        decoding.decode(data[: int(len(data) * share)], 50)


def test_a_damaged_avif_is_called_so():
    data = EVERY_FORMAT["AVIF"]
    with pytest.raises(images.PictureError, match=r"^(truncated|damaged).* AVIF"):
        decoding.decode(data[: len(data) // 2], 50)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(EVERY_FORMAT)))
def test_damaged_bytes_give_a_picture_or_a_reason(data, name):
    whole = bytearray(EVERY_FORMAT[name])
    header = st.integers(0, min(200, len(whole)) - 1)
    for place in data.draw(st.lists(header | st.integers(0, len(whole) - 1), max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(whole)) | st.integers(0, len(whole)))
    assert_picture_or_reason(bytes(whole[:cut]))


@settings(max_examples=100, deadline=None)
@given(start=st.sampled_from([b"", *(d[:20] for d in EVERY_FORMAT.values())]), end=st.binary())
def test_random_bytes_give_a_picture_or_a_reason(start, end):
    assert_picture_or_reason(start + end)


def assert_picture_or_reason(data: bytes) -> None:
    try:
        picture = images.to_rgb(decoding.decode(data, 1), WHITE)
    except images.PictureError as error:
        reason = str(error)
    else:
        reason = picture.mode
    assert 0 < len(reason) <= 160
    assert reason.isprintable()


def bomb(width: int, height: int) -> bytes:
    row = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + row + struct.pack(">I", zlib.crc32(b"IHDR" + row))


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((10_000, 5_001), "too large: 10000 x 5001, above 50 megapixels"),
        ((50_000, 50_000), "too large: above 50 megapixels"),  # Pillow's own limit, met first
    ],
)
def test_a_bomb_is_refused_by_its_header(size, reason):
    data = bomb(*size) + saved(Image.new("RGB", (1, 1)))[33:]
    with pytest.raises(images.PictureError, match=f"^{reason}$"):
        decoding.decode(data, 50)


def test_an_icon_that_holds_more_than_its_head_says_is_refused():
    inside = saved(Image.new("1", (3000, 2000)))
    head = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inside), 22)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in the processes of to_rgb: Pillow warns of it too
        with pytest.raises(images.PictureError, match=r"^too large: 3000 x 2000, above 5 mega"):
            decoding.decode(head + inside, 5)


def test_as_many_pixels_as_allowed_are_decoded():
    assert decoding.decode(saved(Image.new("L", (1000, 50))), 0.05).size == (1000, 50)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1000, 500), 512, (512, 256)),
        ((500, 1000), 512, (256, 512)),
        ((512, 512), 512, (512, 512)),
        ((1, 1), 512, (1, 1)),
        ((10_000, 1), 512, (512, 1)),
        ((1, 10_000), 16, (1, 16)),
    ],
)
def test_shrinking_keeps_the_ratio_and_at_least_a_pixel(size, side, expected):
    assert images.shrink(Image.new("RGB", size), side).size == expected


def test_shrinking_a_fine_chequerboard_gives_grey_and_no_moire():
    board = Image.fromarray((np.indices((999, 999)).sum(0) % 2 * 255).astype(np.uint8))
    small = np.array(images.shrink(board.convert("RGB"), 300))
    assert np.abs(small[5:-5, 5:-5].astype(int) - 127).max() <= 4


def test_a_square_holds_the_whole_picture_centred():
    square = images.square(Image.new("RGB", (40, 20), RED), 80, "#0000ff")
    assert square.shape == (80, 80, 3)
    assert square.dtype == np.uint8
    assert (square[20:60] == RED).all()
    assert (square[:20] == (0, 0, 255)).all()
    assert (square[60:] == (0, 0, 255)).all()


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (7, 5)])
def test_a_square_of_an_odd_picture_is_still_one(size):
    assert images.square(Image.new("RGB", size), 33, WHITE).shape == (33, 33, 3)


def test_equal_pixels_are_equal_bytes_whatever_else_a_file_says():
    plain, dated = Image.new("RGB", (9, 9), RED), Image.new("RGB", (9, 9), RED)
    exif = Image.Exif()
    exif[0x0132] = "2026:01:01 00:00:00"
    one, other = saved(plain), saved(dated, exif=exif, dpi=(300, 300))
    assert one != other
    assert images.as_png(converted(one)) == images.as_png(converted(other))


def test_a_picture_is_in_the_middle_of_its_square():
    square = images.square(Image.new("RGB", (10, 4), "red"), 10, WHITE)
    assert [tuple(row[0]) == RED for row in square] == [False] * 3 + [True] * 4 + [False] * 3
    assert np.array_equal(
        images.square(Image.new("RGB", (4, 10), "red"), 10, WHITE)[0], square[:, 0]
    )


def test_more_pixels_than_asked_for_are_refused():
    data = saved(Image.new("RGB", (40, 50)))
    assert decoding.decode(data, 0.002).size == (40, 50)
    with pytest.raises(images.PictureError, match=r"^too large: 40 x 50, above"):
        decoding.decode(data, 0.0019)
