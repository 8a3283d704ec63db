"""Converts images to PNG and back."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png(picture: NDArray[np.uint8]) -> bytes:
    """An image, uint8 [H, W, 3], as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def picture_of(encoded: bytes | None) -> NDArray[np.uint8]:
    """The image, uint8 [H, W, 3], in PNG or JPEG bytes.

    Raises:
        ValueError: If there are none, or they are damaged.
    """
    if encoded is None:
        raise ValueError("a picture is missing, expected PNG or JPEG in the file itself")
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises a SyntaxError for a broken PNG
        raise ValueError("a picture is damaged, expected PNG or JPEG") from error
