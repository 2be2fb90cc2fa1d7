"""From the bytes of a file, whoever made it, to the pixels of one picture.

Apart from `images`, so that a new version of a decoder runs again what decodes, and trains nothing.
"""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from stages.pictures import svg
from stages.pictures.formats import DRAWN, FORMATS, NoPictureError, format_of
from stages.pictures.images import PictureError

IN_WORDS = {  # reasons of `format_of`
    "empty": "empty file",
    "html": "a web page, not a picture",
    "text": "text, not a picture",
    "unknown_format": f"unknown format, none of {', '.join(FORMATS)}",
}


def decode(data: bytes, max_megapixels: float, drawn_side: int = DRAWN) -> Image.Image:
    """The first frame, as it came: its mode, its size, neither turned nor converted.

    A drawing (SVG) becomes pixels here, `drawn_side` of them on its longer side; that may take long
    and end the process, so strangers' pictures belong in one that may end. Raises PictureError.
    """
    kind = _kind(data)
    try:
        picture = _opened(data, kind, drawn_side)
        require_size(picture, max_megapixels)
        _scale_transparent_colour(picture)
        picture.load()
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"truncated or damaged {kind}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"too large: above {max_megapixels} megapixels") from None
    except Exception as error:  # hostile bytes make Pillow's decoders raise nearly anything
        raise PictureError(_what_is_wrong(data, kind, error)) from error
    require_size(picture, max_megapixels)  # an ICO's head may say less than it holds
    picture.format = kind if kind == "SVG" else picture.format
    return picture


def require_size(picture: Image.Image, max_megapixels: float) -> None:
    width, height = picture.size
    if width * height > max_megapixels * 1e6:
        raise PictureError(f"too large: {width} x {height}, above {max_megapixels} megapixels")


def _kind(data: bytes) -> str:
    try:
        return format_of(data)
    except NoPictureError as error:
        words = f"{error.reason.replace('_', ' ')}, which is not read"
        raise PictureError(IN_WORDS.get(error.reason, words)) from None


def _opened(data: bytes, kind: str, drawn_side: int) -> Image.Image:
    if kind == "SVG":
        return Image.open(io.BytesIO(svg.draw(data, drawn_side)), formats=["PNG"])
    return Image.open(io.BytesIO(data), formats=[kind])


def _scale_transparent_colour(picture: Image.Image) -> None:
    """Put the transparent colour of a PNG on the 8-bit scale of its pixels: Pillow does not."""
    key = picture.info.get("transparency")
    raw_mode = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
    if raw_mode in ("L;2", "L;4"):
        picture.info["transparency"] = key and key * (85 if raw_mode == "L;2" else 17)
    elif raw_mode == "RGB;16B" and key:
        picture.info["transparency"] = tuple(level >> 8 for level in key)


def _what_is_wrong(data: bytes, kind: str, error: Exception) -> str:
    if "truncated" in str(error).lower() or not FORMATS[kind].ends(data):
        return f"truncated {kind}"
    if isinstance(error, svg.DrawingError):
        return f"damaged {kind}: {error}"[:120].strip()
    return f"damaged {kind}: {type(error).__name__} {error}"[:120].strip()
