"""Optional dependencies."""

import importlib
from typing import Any

from trailkit.envs.errors import UserError


def require(module: str, extra: str) -> Any:
    """Imports a module of an optional dependency.

    Raises:
        UserError: If it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{extra} is not installed ({error}): pip install 'trailkit[{extra}]'") from error
