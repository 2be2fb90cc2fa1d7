"""What a file is, by its content: names and headers of the web say what they like.

FORMATS is the one list of what is accepted; docs/sources.md says why, and why others are not.
Nothing is decoded here. A picture cut short is told by its format's own end mark, so that it does
not take the place of a whole one; damage inside is left to `to_rgb`.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pillow_heif
from PIL import Image

from stages.pictures import svg

MAX_PIXELS = 250_000_000  # more is a bomb; `to_rgb` has its own limit, a parameter, below this
DRAWN = 512  # pixels of the longer side that a drawing, which has none, is said to have
REFUSED = {  # what users have and this study does not read, by its first bytes
    b"%PDF": "pdf",
    b"%!PS": "postscript",
    b"8BPS": "photoshop",
    b"\0\0\0\x0cjP  ": "jpeg_2000",
    b"\xff\x4f\xff\x51": "jpeg_2000",
    b"\0\0\0\x0cJXL ": "jpeg_xl",
    b"\xff\x0a": "jpeg_xl",
    b"\x1f\x8b": "gzip",
    b"PK\3\4": "zip",
}
REASONS = {  # of NoPictureError
    *("empty", "html", "text", "unknown_format", "truncated", "damaged", "too_many_pixels"),
    *REFUSED.values(),
}

_TEXT = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<[?!a-z]|[{\[])", re.I)
_ROOT = re.compile(rb"<(?:!doctype\s+)?(?:[\w-]{1,40}:)?(svg|html|head|body)[\s/>\[]", re.I)
_HEAD = 64 << 10  # bytes: drawing programs put long comments and declarations first
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # bytes, by version
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_FILTERS = threading.Lock()  # those of warnings are one list for all threads

pillow_heif.register_heif_opener()
# Pillow's own words about a file name no file; its row has the reason.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class NoPictureError(Exception):
    """`reason` is one word: one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def describe(data: bytes) -> tuple[str, int, int]:
    """Format, width and height of a picture. Raises NoPictureError where the bytes are none."""
    kind = format_of(data)
    if not FORMATS[kind].ends(data):
        raise NoPictureError("truncated")
    width, height = _drawing_size(data) if kind == "SVG" else _size(data, kind)
    if width * height > MAX_PIXELS:
        raise NoPictureError("too_many_pixels")
    return kind, width, height


def format_of(data: bytes) -> str:
    """A key of FORMATS, from the first bytes. Raises NoPictureError."""
    for name, kind in FORMATS.items():
        if kind.begins(data):
            return name
    raise NoPictureError(_other(data[:_HEAD]))


def _size(data: bytes, kind: str) -> tuple[int, int]:
    try:
        with _FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: nothing is decoded
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                return image.size
    except Image.DecompressionBombError:
        raise NoPictureError("too_many_pixels") from None
    except Exception:  # on bytes of anyone Pillow's readers raise anything
        raise NoPictureError("damaged") from None


def _drawing_size(data: bytes) -> tuple[int, int]:
    try:
        return svg.size(svg.read(data), DRAWN)
    except svg.DrawingError:
        raise NoPictureError("damaged") from None


def _other(head: bytes) -> str:
    if not head.strip():
        return "empty"
    for start, reason in REFUSED.items():
        if head.startswith(start):
            return reason
    if not _TEXT.match(head):
        return "unknown_format"
    return "html" if _ROOT.search(head) else "text"


# ---- how each format begins and ends -----------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """`suffixes` of its files, the usual one first; `ends` is whether a file has its end.

    What a broken transfer or a full disk cut off lacks it.
    """

    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    ends: Callable[[bytes], bool] = bool  # nothing can be said: every file that is not empty


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(marks)


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _is_avif(data: bytes) -> bool:
    return bool(_brands(data) & {b"avif", b"avis"})


def _is_heif(data: bytes) -> bool:
    return bool(_brands(data) & _HEIF_BRANDS)


def _brands(data: bytes) -> set[bytes]:
    """What an ISO file says that it is; nothing where it is none."""
    if data[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(data[:4], "big"), len(data), 1024)
    return {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}


def _is_bmp(data: bytes) -> bool:
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS


def _is_icon(data: bytes) -> bool:
    return data[:4] == b"\0\0\1\0" and 0 < int.from_bytes(data[4:6], "little") < 256


def _is_ppm(data: bytes) -> bool:
    return re.match(rb"P[1-6]\s\s*(?:\d|#)", data[:64]) is not None


def _is_svg(data: bytes) -> bool:
    head = data[:_HEAD]
    if not _TEXT.match(head):
        return False
    root = _ROOT.search(head)
    return root is not None and root[1].lower() == b"svg"


def _jpeg_ends(data: bytes) -> bool:
    """The last scan has an end; a thumbnail's, inside, comes before it."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0


def _png_ends(data: bytes) -> bool:
    return b"IEND\xaeB`\x82" in data[-4096:]


def _gif_ends(data: bytes) -> bool:
    return b"\x3b" in data[-64:].rstrip(b"\0")[-1:]


def _webp_ends(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _bmp_ends(data: bytes) -> bool:
    return len(data) >= int.from_bytes(data[2:6], "little")


def _icon_ends(data: bytes) -> bool:
    """Whether all its pictures, each with its length and place in the head, are there."""
    for at in range(6, 6 + 16 * data[4], 16):
        size, start = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (8, 12))
        if not 0 < size <= len(data) - start:
            return False
    return True


def _svg_ends(data: bytes) -> bool:
    end = data.rstrip()[-256:]
    return b"svg>" in end or end.endswith((b"/>", b"-->"))


def _boxes_end(data: bytes) -> bool:
    """Whether the boxes of an ISO file, each with its length before it, fill it."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # to the end of the file
            return True
        if size < 8:
            return False
        at += size
    return at <= len(data)


FORMATS = {  # by Pillow's names, but for SVG; AVIF before HEIF, of whose family it is
    "PNG": Format((".png", ".apng"), _starts(b"\x89PNG\r\n\x1a\n"), _png_ends),
    "JPEG": Format((".jpg", ".jpeg", ".jpe", ".jfif"), _starts(b"\xff\xd8\xff"), _jpeg_ends),
    "GIF": Format((".gif",), _starts(b"GIF87a", b"GIF89a"), _gif_ends),
    "WEBP": Format((".webp",), _is_webp, _webp_ends),
    "AVIF": Format((".avif",), _is_avif, _boxes_end),
    "HEIF": Format((".heic", ".heif", ".hif"), _is_heif, _boxes_end),
    "BMP": Format((".bmp", ".dib"), _is_bmp, _bmp_ends),
    "TIFF": Format((".tif", ".tiff"), _starts(b"II*\0", b"MM\0*")),  # its parts: in any order
    "ICO": Format((".ico",), _is_icon, _icon_ends),
    "PPM": Format((".ppm", ".pgm", ".pbm", ".pnm"), _is_ppm),
    "SVG": Format((".svg",), _is_svg, _svg_ends),
}
