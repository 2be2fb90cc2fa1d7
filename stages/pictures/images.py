"""One picture: from the bytes of a file to upright sRGB on a background, and to a square."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError

from stages.pictures import svg
from stages.pictures.formats import DRAWN, FORMATS, NoPictureError, format_of

IN_WORDS = {  # reasons of `format_of`
    "empty": "empty file",
    "html": "a web page, not a picture",
    "text": "text, not a picture",
    "unknown_format": f"unknown format, none of {', '.join(FORMATS)}",
}
SRGB = ImageCms.createProfile("sRGB")
# 32-bit pixels (I, F) have no agreed white; LAB and HSV are nothing a picture search finds.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")


class PictureError(Exception):
    """Bytes that give no picture; the text is the reason, short enough for a table."""


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


def to_rgb(picture: Image.Image, background: str) -> Image.Image:
    """Upright, in sRGB, 8 bits, transparent parts on the background. Raises PictureError."""
    return composite_on(background, to_srgb(upright(picture)))


def upright(picture: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation asks."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # a broken EXIF block says nothing against the pixels
        return picture


def to_srgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB, or RGBA where something is transparent; colours through an embedded profile.

    Raises PictureError for pixels of a kind that has no plain meaning as a colour.
    """
    profile = picture.info.get("icc_profile")
    picture = _eight_bits(picture)
    if picture.mode not in MODES:
        raise PictureError(f"pixels of mode {picture.mode}")
    alpha = None
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        alpha = layered.getchannel("A")
        picture = picture if picture.mode in ("L", "LA") else layered
    if picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("L" if picture.mode in ("1", "LA") else "RGB")
    picture = _through(profile, picture)
    if alpha is not None:
        picture.putalpha(alpha)
    return picture


def composite_on(background: str, picture: Image.Image) -> Image.Image:
    """RGB without metadata: what is transparent shows the background ("#rrggbb")."""
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, background)
        picture = Image.alpha_composite(ground, picture)
    picture = picture.convert("RGB")
    picture.info.clear()
    return picture


def shrink(picture: Image.Image, max_side: int) -> Image.Image:
    """The same picture with no side longer than `max_side`; never larger than it was."""
    if max(picture.size) <= max_side:
        return picture
    return picture.resize(_fitted(picture.size, max_side), Image.Resampling.LANCZOS)


def square(picture: Image.Image, size: int, background: str) -> np.ndarray:
    """uint8 (size, size, 3): the whole RGB picture, as large as fits, centred on the background."""
    width, height = _fitted(picture.size, size)
    canvas = Image.new("RGB", (size, size), ImageColor.getrgb(background))
    fitted = picture.resize((width, height), Image.Resampling.LANCZOS)
    canvas.paste(fitted, ((size - width) // 2, (size - height) // 2))
    return np.array(canvas)


def as_png(picture: Image.Image) -> bytes:
    """PNG bytes, the same for the same pixels."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)  # a third less time than 6, a fifth more bytes
    return file.getvalue()


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    longer = max(size)
    width, height = (max(1, round(length * side / longer)) for length in size)
    return width, height


def _scale_transparent_colour(picture: Image.Image) -> None:
    """Put the transparent colour of a PNG on the 8-bit scale of its pixels: Pillow does not."""
    key = picture.info.get("transparency")
    raw_mode = picture.tile[0].args if picture.format == "PNG" and picture.tile else None
    if raw_mode in ("L;2", "L;4"):
        picture.info["transparency"] = key and key * (85 if raw_mode == "L;2" else 17)
    elif raw_mode == "RGB;16B" and key:
        picture.info["transparency"] = tuple(level >> 8 for level in key)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits, where Pillow would clip; other pictures as they are."""
    if not picture.mode.startswith("I;16"):
        return picture
    levels = np.asarray(picture).astype(np.uint32)
    grey = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if (key := picture.info.get("transparency")) is not None:
        grey.putalpha(Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8)))
    return grey


def _through(profile: bytes | None, picture: Image.Image) -> Image.Image:
    """RGB of an L, RGB or CMYK picture, by its ICC profile where that one is sound."""
    if not profile:
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() == "RGB":
            picture = picture.convert("RGB")
        return ImageCms.profileToProfile(picture, source, SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture.convert("RGB")


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


def _what_is_wrong(data: bytes, kind: str, error: Exception) -> str:
    if "truncated" in str(error).lower() or not FORMATS[kind].ends(data):
        return f"truncated {kind}"
    if isinstance(error, svg.DrawingError):
        return f"damaged {kind}: {error}"[:120].strip()
    return f"damaged {kind}: {type(error).__name__} {error}"[:120].strip()
