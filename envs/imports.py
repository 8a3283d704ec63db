"""Imports what a setting names as MODULE:NAME, which every process of a run can find."""

import importlib
from types import ModuleType
from typing import Any

from trailkit.envs.errors import UserError, unknown


def imported(key: str, path: str) -> Any:
    """Imports what a setting names: a class, a function or any other callable.

    Args:
        key: The name of the setting for error messages: "encoder.stack".
        path: MODULE:NAME. The module must be on the Python path.

    Raises:
        UserError: If there is no such module or name, the module cannot be imported, or the object cannot be called.
    """
    said = f"{key}={path}"
    module, _, name = path.partition(":")
    if not module or not name.isidentifier():
        raise UserError(f"{said}: expected MODULE:NAME, what can be imported as `from MODULE import NAME`")
    found = import_module(said, module)
    if not hasattr(found, name):
        public = [each for each in vars(found) if not each.startswith("_")]
        raise UserError(f"{said}: {unknown(f'name in {module}', name, public)}")
    named = getattr(found, name)
    if not callable(named):
        raise UserError(f"{said}: {name} is of the type {type(named).__name__}, which cannot be called")
    return named


def import_module(said: str, module: str) -> ModuleType:
    """Imports the module that a setting names.

    Args:
        said: The setting as the user gave it, for error messages.
        module: The module's name.

    Raises:
        UserError: If there is no such module, or it cannot be imported.
    """
    importlib.invalidate_caches()  # it may have just been written
    try:
        return importlib.import_module(module)
    except Exception as error:  # anything can go wrong in external code
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise UserError(f"{said}: {error} on the Python path: add its folder to PYTHONPATH") from error
        raise UserError(f"{said}: {module} cannot be imported: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """A foreign error as part of a sentence: its type and its message."""
    return " ".join(f"{type(error).__name__}: {error}".split())
