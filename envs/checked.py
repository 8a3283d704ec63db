"""Checks of values that come from users and files."""

from collections.abc import Mapping
from typing import Any

from trailkit.envs.errors import UserError, unknown


def check_names(what: str, names: tuple[str, ...], choices: list[Any]) -> None:
    """Checks that names are among the choices, without duplicates.

    Raises:
        UserError: Names what is wrong.
    """
    for each in names:
        if each not in choices:
            raise unknown(what, each, choices)
    if len(set(names)) != len(names):
        raise UserError(f"{what} names one twice: {', '.join(names)}; name each once")


def check_types(values: object, template: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Checks that values have exactly the keys of a template, each with the type that it has there.

    Raises:
        UserError: Names what is wrong.
    """
    if not isinstance(values, dict):
        raise UserError(f"{what} are {values!r}: expected a mapping of {', '.join(template)}")
    for key in values:
        if key not in template:
            raise unknown(f"key in the {what}", key, template)
    for key, example in template.items():
        if key not in values:
            raise UserError(f"{what} lack the key {key!r}")
        if type(values[key]) is not type(example):
            raise UserError(f"{key} in the {what} is {values[key]!r}: expected {type(example).__name__}")
    return values
