import math

import numpy as np
import pytest

from trailkit.demos.formats.base import completed, digest, numbers, reading, timestep_of
from trailkit.envs.errors import UserError

ARRAYS = {"a": np.zeros((2, 3), np.float32), "b": np.arange(4)}


def test_numbers_are_taken_as_they_are_or_cast():
    assert numbers("x", [1, 2]).dtype == np.float32
    assert numbers("x", [0, 2], np.bool_).tolist() == [False, True]
    assert np.isinf(numbers("x", [1e300])).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [1.0, 2.0]], "x differs in shape between steps, expected one for all"),
        ([None, 1.0], "x is of type object, expected numbers"),
        (["one"], "x is of type <U3, expected numbers"),
        ({"arm": [1.0]}, "x is of type object, expected numbers"),
        ([1j], "x is of type complex128, expected numbers"),
    ],
)
def test_what_is_not_numbers_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        numbers("x", values)


@pytest.mark.parametrize("actions", [np.zeros((0, 4)), np.zeros(4), np.zeros((4, 1, 4)), 0.5])
def test_actions_of_another_shape_are_refused(actions):
    with pytest.raises(
        ValueError, match=r"the actions have the shape \[.*\], expected \[T, A\] with one step at least"
    ):
        completed({}, actions, None, None, None, {})


@pytest.mark.parametrize("rate", [0, -20, math.nan, math.inf, "20", None])
def test_a_rate_that_is_none_is_named(rate):
    with pytest.raises(ValueError, match=f"fps is {rate!r}, expected a number"):
        timestep_of(rate, "fps")


@pytest.mark.parametrize(
    "others",
    [
        {"a": ARRAYS["a"]},
        {**ARRAYS, "b": np.array([0, 1, 2, 4])},
        {**ARRAYS, "b": np.arange(4, dtype=np.int32)},
        {**ARRAYS, "a": ARRAYS["a"].reshape(3, 2)},
        {"a": ARRAYS["b"], "b": ARRAYS["a"]},
    ],
)
def test_a_digest_tells_arrays_apart(others):
    assert digest(ARRAYS) != digest(others)


def test_a_digest_does_not_depend_on_the_order():
    assert digest(ARRAYS) == digest(dict(reversed(ARRAYS.items())))


def test_the_innermost_place_is_named():
    message = "^data, episode 3 cannot be read as a table: not found: 'fps'; give demonstrations"
    with pytest.raises(UserError, match=message), reading("data", "a table"), reading("data, episode 3", "a table"):
        raise KeyError("fps")
