"""Selects the parts of an observation that describe the robot itself, and hides the rest from policies."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError, unknown

_PART = re.compile(r"(?P<key>[^\[\]]*)(\[(?P<start>-?\d*):(?P<stop>-?\d*)\])?")


class Proprioception:
    """Selects and concatenates parts of an observation."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        """Parses the parts.

        Args:
            parts: By a name of your choice: an entry of the observation, such as "position"; a slice of one, such as
                "observation[0:4]"; or, for an observation without entries, "[0:4]".

        Raises:
            UserError: If a part has another form.
        """
        self._parts = {name: _read(name, part) for name, part in parts.items()}

    def __call__(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The concatenated parts, float32 [P].

        Raises:
            UserError: If the observation lacks such an entry, or the selection is empty.
        """
        return np.concatenate([_take(observation, name, *part) for name, part in self._parts.items()])


def _read(name: str, part: object) -> tuple[str, slice]:
    if not isinstance(part, str):  # YAML reads [0:4] as a list
        raise UserError(f"env.proprio.{name} is {part!r}: put it in quotes, such as '[0:4]'")
    match = _PART.fullmatch(part)
    if match is None or not part:
        raise UserError(
            f"env.proprio.{name}={part}: give an entry of the observation, or a slice like observation[0:4]"
        )
    start, stop = (int(match[each]) if match[each] else None for each in ("start", "stop"))
    return match["key"] or "observation", slice(start, stop)


def _take(observation: Mapping[str, NDArray[Any]], name: str, key: str, where: slice) -> NDArray[np.float32]:
    if key not in observation:
        raise unknown(f"entry of the observation in env.proprio.{name}", key, observation)
    try:
        values = np.asarray(observation[key], np.float32).ravel()
    except (TypeError, ValueError) as error:
        raise UserError(f"env.proprio.{name}: {key} of the observation is no array of numbers") from error
    taken: NDArray[np.float32] = values[where]
    if not taken.size:
        raise UserError(f"env.proprio.{name} takes nothing of {key}, which has {values.size} numbers")
    if where.stop is not None and where.stop > values.size:
        raise UserError(f"env.proprio.{name} goes on to {where.stop} in {key}, which has {values.size} numbers")
    return taken
