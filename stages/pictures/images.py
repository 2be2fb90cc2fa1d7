"""One picture, once decoded: upright sRGB on a background, made smaller, in a square."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps

SRGB = ImageCms.createProfile("sRGB")
# 32-bit pixels (I, F) have no agreed white; LAB and HSV are nothing a picture search finds.
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")


class PictureError(Exception):
    """What gives no picture; the text is the reason, short enough for a table."""


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
