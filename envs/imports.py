"""What a setting names by where it can be imported from, MODULE:NAME, so that every process of a run finds it."""

import importlib
from types import ModuleType
from typing import Any

from trailkit.envs.errors import UserError, unknown


def imported(key: str, path: str) -> Any:
    """Imports what a setting names: a class, a function or anything else that can be called.

    Args:
        key: Of the setting, which errors name: "encoder.stack".
        path: MODULE:NAME. The module must lie on the Python path.

    Raises:
        UserError: If there is no such module, it cannot be imported, has no such name, or that cannot be called.
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
    """Imports the module of a setting.

    Args:
        said: The setting as it was given, which errors name.
        module: The module's name.

    Raises:
        UserError: If there is no such module, or it cannot be imported.
    """
    importlib.invalidate_caches()  # it may have been written a moment ago
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever goes wrong in a module that is not trailkit's
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise UserError(f"{said}: {error} on the Python path: add its folder to PYTHONPATH") from error
        raise UserError(f"{said}: {module} cannot be imported: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """An error of others as a part of a sentence: its type, and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())
