"""Converts Python values to words of the command: `{"agent.batch_size": 64}` becomes `agent.batch_size=64`."""

import os
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from trailkit.envs.errors import UserError


def words(keys: Mapping[str, Any]) -> list[str]:
    """One word for each key, quoted so that Hydra reads exactly the given value.

    Args:
        keys: Numbers, strings, paths, True, False, None, and lists and dicts of them. In strings, `${…}` still refers
            to another key, as in the command.

    Raises:
        UserError: For a value of another type.
    """
    return [f"{key}={text(key, value)}" for key, value in keys.items()]


def text(key: str, value: Any) -> str:
    """A value in the form of a command's word, as in `words`."""
    match value:
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case str() | os.PathLike():
            return quoted(os.fspath(value))
        case Integral():
            return str(int(value))
        case Real():
            return repr(float(value))
        case Mapping():
            return "{" + ",".join(f"{_escaped(name)}:{text(key, each)}" for name, each in value.items()) + "}"
        case Sequence():
            return "[" + ",".join(text(key, each) for each in value) + "]"
    hint = "its import path, MODULE:NAME" if callable(value) else "a number, a string, a list or a dict"
    raise UserError(f"{key} is given a {type(value).__name__}: give {hint}")


def _escaped(name: object) -> str:
    """A dict key with special characters escaped; Hydra does not support quotes there."""
    return re.sub(r"([\\()\[\]{}:=,\s])", r"\\\1", str(name))


def quoted(text: str) -> str:
    """A string for Hydra in single quotes; only the backslashes before a quote are doubled."""
    return "'" + re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + found[2].replace("'", "\\'"), text) + "'"
