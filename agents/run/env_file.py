"""A user's environment, described once in a file: `env=robot.yaml` stands for all that the file says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from trailkit.agents.run.words import words
from trailkit.configs.choices import EnvKind
from trailkit.envs.errors import UserError, unknown

_SUFFIXES = (".yaml", ".yml")


def expanded(given: Sequence[str]) -> list[str]:
    """The words of a command, with a file named by `env=` replaced by its contents.

    The file contains keys of `env`, like those in `configs/env/`; `kind` says whose environment it is. The other words
    take precedence over the file.

    Raises:
        UserError: If there is no such file, or it contains something else.
    """
    said = [word for word in given if word.startswith("env=") and word.endswith(_SUFFIXES)]
    if not said:
        return list(given)
    keys = _read(said[-1])
    return [*words(keys), *(word for word in given if word not in said)]


def _read(word: str) -> dict[str, Any]:
    """The file's keys, preceded by the group that they modify."""
    try:
        found = yaml.safe_load(Path(word.removeprefix("env=")).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise UserError(f"{word} cannot be read: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise UserError(f"{word}: the file must hold keys of env, such as kind: gymnasium and id: robot:Robot-v0")
    kind = found.pop("kind", EnvKind.trailkit.name)
    if kind not in EnvKind.__members__:
        raise UserError(f"{word}: {unknown('kind', str(kind), list(EnvKind.__members__))}")
    group = found.pop("task", None) if kind == EnvKind.trailkit.name else kind
    if group is None:
        raise UserError(f"{word}: kind is missing, whose environment it is: give {', '.join(EnvKind.__members__)}")
    return {"env": group, **{f"env.{key}": value for key, value in found.items()}}
