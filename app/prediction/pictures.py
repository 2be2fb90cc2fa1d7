"""A picture as a network takes it: through the same steps as the pictures of the study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stages.pictures import decoding, images


def square_of(data: bytes, card: Mapping) -> np.ndarray:
    """The bytes of a file → uint8 RGB (image_size, image_size, 3), decoded as `to_rgb` does it.

    Hostile bytes may crash the process, so it belongs in one of `stages.pictures.isolation`. Raises
    PictureError, whose text is a reason short enough for a table.
    """
    picture = decoding.decode(data, card["max_megapixels"], card["max_side"])
    picture = images.shrink(images.to_rgb(picture, card["background"]), card["max_side"])
    return images.square(picture, card["image_size"], card["background"])
