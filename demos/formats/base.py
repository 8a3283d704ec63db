"""The interface of exchange formats for demonstrations, and what they share."""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from trailkit.demos.manifest import Manifest
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.envs.errors import UserError
from trailkit.envs.registration import IDS
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode import Episode

_log = logging.getLogger(__name__)
# Errors of libraries on unexpected input; Pillow raises a SyntaxError for a broken PNG.
_RAISED = (
    *(OSError, LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, ArithmeticError),
    SyntaxError,
)


class Contents(NamedTuple):
    """The contents of a file or folder in another format."""

    episodes: Iterator[Episode]  # in order; foreign data is unchecked and keeps its observation names
    manifest: Manifest | None  # of the recording, without rows; None if trailkit did not write this
    task: str | None = None  # according to foreign data
    control_timestep: float | None = None  # seconds, according to foreign data
    total: int | None = None  # the number of episodes, if known


class Format(Protocol):
    """A format in which other frameworks store demonstrations."""

    def write(self, store: DemoStore, path: Path, track: Track = untracked) -> None:
        """Writes all demonstrations of a store to `path`, which exists afterwards completely or not at all.

        `track` shows the progress.

        Raises:
            UserError: If they cannot be written in this format, or not at all.
        """

    def read(self, path: Path) -> Contents:
        """Reads demonstrations lazily, one by one.

        Raises:
            UserError: If there are none in this format, or some are damaged; raised at once or by the iterator.
        """


def description(manifest: Manifest) -> str:
    """A manifest without its rows, as JSON, to be stored with demonstrations."""
    bare = replace(manifest, episodes=())
    values = {**asdict(bare), "settings": manifest.settings.to_dict()}
    return json.dumps(values)


def described(text: str) -> Manifest:
    """The manifest from what `description` returned.

    Raises:
        ValueError, TypeError: If the text is damaged.
    """
    values = json.loads(text)
    return Manifest(**{**values, "settings": EnvSettings.from_dict(values["settings"]), "episodes": ()})


def completed(
    observation: dict[str, NDArray[Any]],
    action: Any,
    reward: Any,
    success: Any,
    discount: Any,
    metadata: dict[str, Any],
    state: NDArray[np.float64] | None = None,
) -> Episode:
    """Makes an episode of T steps and T+1 observations from what a format stores, and fills in what it lacks.

    Defaults: rewards are 0; a step is a success if its reward is above 0; discounts are 1.

    Raises:
        ValueError: If there are no steps, or values that should be numbers are not.
    """
    actions = numbers("action", action)
    if actions.ndim != 2 or not len(actions):
        raise ValueError(f"the actions have the shape {list(actions.shape)}, expected [T, A] with one step at least")
    rewards = np.zeros(len(actions), np.float32) if reward is None else numbers("reward", reward).reshape(-1)
    return Episode(
        observation=observation,
        action=actions,
        reward=rewards,
        discount=np.ones(len(actions), np.float32) if discount is None else numbers("discount", discount),
        success=rewards > 0 if success is None else numbers("success", success, np.bool_).reshape(-1),
        metadata=metadata,
        state=state,
    )


def numbers(what: str, values: Any, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Converts foreign data to an array.

    Raises:
        ValueError: If the values are not numbers, or differ in shape between steps; names `what`.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{what} differs in shape between steps, expected one for all") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{what} is of type {found.dtype}, expected numbers")
    with np.errstate(over="ignore"):  # a value that overflows to infinity is rejected later, like one that was infinite
        return found.astype(dtype, copy=False)


def timestep_of(rate: object, what: str) -> float:
    """The seconds between steps, from the number of steps per second.

    Raises:
        ValueError: If the rate is not such a number; names `what`.
    """
    if not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise ValueError(f"{what} is {rate!r}, expected a number of steps in a second above 0")
    return 1 / rate


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """The SHA-256 of arrays with their names, dtypes and shapes, which changes if any of them changes."""
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(f"{name} {values.dtype} {values.shape} ".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def warn_of_changed(path: Path, names: Sequence[str]) -> None:
    """Logs a warning that names the episodes that differ from what trailkit wrote, if any."""
    if names:
        _log.warning(
            "%s: %s changed after trailkit wrote it; they are taken like those of others, without the simulator's "
            "states and all else that trailkit had kept beside them",
            *(path, ", ".join(names)),
        )


def environment_id(settings: EnvSettings) -> str:
    """The environment's Gymnasium id, or the task's name if it has none."""
    return IDS.get(settings.task, settings.task)


def environment_words(settings: EnvSettings) -> dict[str, Any]:
    """The keyword arguments for `gymnasium.make` of the environment, as JSON values; only for square images."""
    observation = settings.observation
    return {
        "action_space": settings.action_space.value,
        "cameras": list(map(str, observation.cameras)),
        "image_size": observation.height,
        "proprioception": observation.proprioception,
        "episode_steps": settings.episode_steps,
        "appearance": list(map(str, settings.appearance)),
        "distract": list(map(str, settings.distract)),
    }


def task_of(environment: object) -> str | None:
    """The task of a Gymnasium id, if it is one of trailkit's."""
    return {name: task for task, name in IDS.items()}.get(str(environment))


@contextmanager
def reading(where: object, kind: str) -> Iterator[None]:
    """Turns any error of a library on a damaged or foreign file into an error that names the file.

    If nested, the inner one's message is used, since it can also name the episode.
    """
    try:
        yield
    except UserError:
        raise
    except _RAISED as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"not found: {reason}"
        raise UserError(
            f"{where} cannot be read as {kind}: {reason}; give demonstrations in that format, whole"
        ) from error
