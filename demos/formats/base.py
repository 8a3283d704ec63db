"""What a format for exchanging demonstrations is, and what all of them share."""

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
# By libraries that meet what they do not expect; a SyntaxError is Pillow's word for a broken PNG.
_RAISED = (
    *(OSError, LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, ArithmeticError),
    SyntaxError,
)


class Contents(NamedTuple):
    """What a file or folder of another format holds."""

    episodes: Iterator[Episode]  # in their order; of others' data unchecked, with the observations' names there
    manifest: Manifest | None  # the recording's, without rows; None if trailkit did not write this
    task: str | None = None  # what others' data says of its task
    control_timestep: float | None = None  # seconds, the same
    total: int | None = None  # how many episodes there are, as far as that is known


class Format(Protocol):
    """A way in which others store demonstrations."""

    def write(self, store: DemoStore, path: Path, track: Track = untracked) -> None:
        """Writes all demonstrations of a store to `path`, which is afterwards whole or absent; `track` shows how far.

        Raises:
            UserError: If they cannot be written in this format, or not at all.
        """

    def read(self, path: Path) -> Contents:
        """Reads demonstrations, one by one as they are asked for.

        Raises:
            UserError: If there are none in this format, or some are damaged; at once or from the iterator.
        """


def description(manifest: Manifest) -> str:
    """All of a manifest but its rows, as JSON, to be stored beside demonstrations."""
    bare = replace(manifest, episodes=())
    values = {**asdict(bare), "settings": manifest.settings.to_dict()}
    return json.dumps(values)


def described(text: str) -> Manifest:
    """The manifest that `description` gave.

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
    """Makes an episode of what a format knows, T steps and T+1 observations, and settles what it does not.

    Without rewards they are 0; without success, a step with a reward above 0 is one; without discounts they are 1.

    Raises:
        ValueError: If there are no steps, or not numbers where they should be.
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
    """Makes an array of what others stored.

    Raises:
        ValueError: If those are not numbers, or not as many for each step; names `what`.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{what} differs in shape between steps, expected one for all") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{what} is of type {found.dtype}, expected numbers")
    with np.errstate(over="ignore"):  # what becomes infinite is refused later, as what was so
        return found.astype(dtype, copy=False)


def timestep_of(rate: object, what: str) -> float:
    """The seconds between steps, from their number in a second.

    Raises:
        ValueError: If that is no such number; names `what`.
    """
    if not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise ValueError(f"{what} is {rate!r}, expected a number of steps in a second above 0")
    return 1 / rate


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """The SHA-256 of arrays with their names, types and shapes: whoever changes one of them changes it."""
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(f"{name} {values.dtype} {values.shape} ".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def warn_of_changed(path: Path, names: Sequence[str]) -> None:
    """Says in the log which episodes are no longer what trailkit wrote, if any."""
    if names:
        _log.warning(
            "%s: %s changed after trailkit wrote it; they are taken like those of others, without the simulator's "
            "states and all else that trailkit had kept beside them",
            *(path, ", ".join(names)),
        )


def environment_id(settings: EnvSettings) -> str:
    """The environment's name in Gymnasium's registry; the task's, where it has none."""
    return IDS.get(settings.task, settings.task)


def environment_words(settings: EnvSettings) -> dict[str, Any]:
    """The words with which `gymnasium.make` makes the environment, as JSON values; square pictures only."""
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
    """The task behind a name in Gymnasium's registry, if it is one of trailkit's."""
    return {name: task for task, name in IDS.items()}.get(str(environment))


@contextmanager
def reading(where: object, kind: str) -> Iterator[None]:
    """Turns whatever a damaged or foreign file makes a library raise into an error that names the file.

    Within another one, the inner one's words are those that are said: it can name the episode as well.
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
