"""What a file is, by its content: names and headers of the web say what they like.

Nothing is decoded here. A picture cut short is told by its format's own end mark, so that it does
not take the place of a whole one; damage inside is left to `to_rgb`.
"""

from __future__ import annotations

import io
import re
import warnings

from PIL import Image

SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "BMP": ".bmp",
    "TIFF": ".tif",
}
MAX_PIXELS = 250_000_000  # more is a bomb; `to_rgb` has its own limit, a parameter, below this
_TEXT = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<[?!a-z]|[{\[])", re.I)


class NoPictureError(Exception):
    """`reason` is one word: empty, svg, html, text, unknown_format, truncated, damaged, …"""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def describe(data: bytes) -> tuple[str, int, int]:
    """Format, width and height of a picture. Raises NoPictureError where the bytes are none."""
    kind = format_of(data)
    if not whole(data, kind):
        raise NoPictureError("truncated")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes: nothing is decoded
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        raise NoPictureError("too_many_pixels") from None
    except Exception:  # on bytes of anyone Pillow's readers raise anything
        raise NoPictureError("damaged") from None
    if width * height > MAX_PIXELS:
        raise NoPictureError("too_many_pixels")
    return kind, width, height


def format_of(data: bytes) -> str:
    """A key of SUFFIXES, from the first bytes. Raises NoPictureError."""
    head = data[:1024]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and _brands(head) & {b"avif", b"avis"}:
        return "AVIF"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "BMP"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    raise NoPictureError(_other(head))


def _brands(head: bytes) -> set[bytes]:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}


def _other(head: bytes) -> str:
    if not head.strip():
        return "empty"
    if not _TEXT.match(head):
        return "unknown_format"
    if re.search(rb"<svg[\s>]", head, re.I):
        return "svg"
    return "html" if re.search(rb"<(?:!doctype html|html|head|body)", head, re.I) else "text"


def whole(data: bytes, kind: str) -> bool:
    """Whether the file has its end: what a broken transfer or a full disk cut off lacks it."""
    if kind == "JPEG":  # the last scan has an end; a thumbnail's, inside, comes before it
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    if kind == "PNG":
        return b"IEND\xaeB`\x82" in data[-4096:]
    if kind == "GIF":
        return b"\x3b" in data[-64:].rstrip(b"\0")[-1:]
    if kind == "WEBP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    if kind == "AVIF":
        return _boxes_end(data)
    if kind == "BMP":
        return len(data) >= int.from_bytes(data[2:6], "little")
    return True  # TIFF: its parts stand in any order


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
