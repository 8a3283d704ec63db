"""Packages that not everyone needs."""

import importlib
from typing import Any

from trailkit.envs.errors import UserError


def require(module: str, extra: str) -> Any:
    """Imports a module of an extra.

    Raises:
        UserError: If it is not installed; says what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{extra} is not installed ({error}): pip install 'trailkit[{extra}]'") from error
