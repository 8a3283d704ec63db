import pytest

from trailkit.demos.extra import extra
from trailkit.envs.errors import UserError


def test_a_missing_library_is_named_with_the_extra_that_brings_it():
    with pytest.raises(UserError, match=r"No module named 'pyspacerat': pip install 'trailkit\[teleop\]'"):
        with extra("teleop"):
            import pyspacerat  # noqa: F401, PLC0415


def test_another_error_is_left_alone():
    with pytest.raises(KeyError, match="x"):
        with extra("teleop"):
            raise KeyError("x")
