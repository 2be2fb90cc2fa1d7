"""Small copies of pictures for a page, as text that is part of it."""

from __future__ import annotations

import base64
import io

from PIL import Image

from app.differences.revisions import Revision
from stages.pictures import decoding
from stages.pictures.images import PictureError, composite_on

SIDE = 96  # pixels of the longer side; twice that on screens with two pixels to one of CSS
PNG = b"\x89PNG\r\n\x1a\n"
MAX_MEGAPIXELS = 64  # what to_rgb writes is smaller


def thumbnail(revision: Revision, file: str) -> str:
    """A `data:` URI.

    Raises UnavailableError for bytes that cannot be had, PictureError for such as are no picture of
    to_rgb's.
    """
    data = revision.picture(file)
    if not data.startswith(PNG):
        raise PictureError("no PNG")
    picture = decoding.decode(data, MAX_MEGAPIXELS)
    picture = composite_on("#ffffff", picture)
    picture.thumbnail((2 * SIDE, 2 * SIDE), Image.Resampling.BILINEAR, reducing_gap=2)
    small = io.BytesIO()
    picture.save(small, "WEBP", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(small.getvalue()).decode()}"
