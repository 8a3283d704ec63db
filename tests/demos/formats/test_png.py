import io

import numpy as np
import pytest
from PIL import Image

from trailkit.demos.formats.png import picture_of, png

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
BROKEN_CHUNK = png(PICTURE)[:33] + bytes([0, 0, 0, 1]) + png(PICTURE)[37:]  # the first one says that it is a byte long


def test_a_picture_comes_back_to_the_last_bit():
    np.testing.assert_array_equal(picture_of(png(PICTURE)), PICTURE)


def test_grey_pictures_become_coloured():
    buffer = io.BytesIO()
    Image.fromarray(PICTURE[..., 0]).save(buffer, format="PNG")
    np.testing.assert_array_equal(picture_of(buffer.getvalue())[..., 2], PICTURE[..., 0])


@pytest.mark.parametrize(
    "encoded", [b"", b"no picture", png(PICTURE)[:200], BROKEN_CHUNK], ids=["empty", "other", "cut", "broken"]
)
def test_damaged_pictures_are_refused(encoded):
    with pytest.raises(ValueError, match="a picture is damaged, expected PNG or JPEG"):
        picture_of(encoded)


def test_a_picture_that_is_missing_is_said_to_be():
    with pytest.raises(ValueError, match="a picture is missing"):
        picture_of(None)
