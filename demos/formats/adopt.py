"""Demonstrations that trailkit did not record: which of their observations are which, and of what environment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.formats.base import Contents, numbers
from trailkit.demos.manifest import CONTROL, VERSIONS, Manifest
from trailkit.demos.match import ENVIRONMENT
from trailkit.envs.actions import make_controller
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.robot import PROPRIOCEPTION_SIZE
from trailkit.envs.settings import ActionSpace, CameraName, EnvSettings, ObservationSettings
from trailkit.envs.tasks import TASKS
from trailkit.replay.episode import Episode

_UNKNOWN = {"mujoco": "unknown", "dm-control": "unknown"}  # versions


@dataclass(frozen=True)
class Words:
    """What a user says of such demonstrations; None where nothing was said."""

    task: str | None = None
    episode_steps: int | None = None
    cameras: Mapping[str, str] | None = None  # trailkit's names of cameras, and the source's
    proprio: Sequence[str] | None = None  # the source's names of what proprioception is made of

    @classmethod
    def parse(cls, said: Mapping[str, str | None]) -> Self:
        """Reads the words as they are written: cameras=front:agentview,wrist:hand, or none.

        Raises:
            UserError: If one makes no sense.
        """
        steps, cameras, proprio = (said.get(key) for key in ("episode_steps", "cameras", "proprio"))
        if steps is not None and not (steps.isdecimal() and int(steps) > 0):
            raise UserError(f"episode_steps={steps}: expected a number of steps above 0")
        pairs = [pair.partition(":")[::2] for pair in _listed(cameras)]
        if not all(ours and theirs for ours, theirs in pairs):
            raise UserError(f"cameras={cameras}: expected trailkit's name and the source's, cameras=front:agentview")
        return cls(
            task=said.get("task"),
            episode_steps=int(steps) if steps else None,
            cameras=None if cameras is None else dict(pairs),
            proprio=None if proprio is None else _listed(proprio),
        )


def adopt(contents: Contents, words: Words, path: Path) -> tuple[Manifest, Iterator[Episode]]:
    """Makes the demonstrations what trailkit would have recorded.

    Args:
        contents: What was read.
        words: What the user says of it.
        path: Where it was read.

    Returns:
        The manifest, without rows, and the episodes.

    Raises:
        UserError: If they cannot be used, or something must be said first; of all but the first, from the iterator.
    """
    first = next(contents.episodes, None)
    if first is None:
        raise UserError(f"{path} holds no demonstrations")
    with _named(path):
        task, cameras, proprio = _task(contents, words), _cameras(first, words), _proprio(first, words)
    with _named(f"{path}, demonstration 0"):
        settings = EnvSettings(
            task=task,
            action_space=_action_space(first),
            observation=_observation_settings(first, cameras, proprio),
            episode_steps=words.episode_steps or EnvSettings().episode_steps,
        )
    new = Manifest.new(settings, {"device": "import", "from": path.name})
    manifest = replace(new, control_timestep=contents.control_timestep, versions=_UNKNOWN)
    told = {
        **manifest.source,
        VERSIONS: _UNKNOWN,
        ENVIRONMENT: settings.to_dict(),
        CONTROL: manifest.control_timestep,
    }

    def adopted() -> Iterator[Episode]:
        for number, episode in enumerate(chain([first], contents.episodes)):
            with _named(f"{path}, demonstration {number}"):
                fitting = _adopted(episode, cameras, proprio, settings)
            yield fitting._replace(metadata={**told, **episode.metadata})

    return manifest, adopted()


def _listed(word: str | None) -> list[str]:
    return [] if word in (None, "none") else str(word).split(",")


@contextmanager
def _named(where: object) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # a UserError is one
        raise UserError(f"{where}: {error}") from error


def _task(contents: Contents, words: Words) -> str:
    task = words.task or contents.task
    if task is None:
        raise UserError(f"the demonstrations do not say of which task they are: add task={'|'.join(TASKS)}")
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    return task


def _cameras(episode: Episode, words: Words) -> Mapping[str, str]:
    if words.cameras is not None:
        for camera in words.cameras:
            if camera not in list(CameraName):
                raise unknown("camera", camera, list(CameraName))
        return words.cameras
    if nested := [name for name, values in episode.observation.items() if not isinstance(values, np.ndarray)]:
        raise UserError(
            f"of its observations, {', '.join(nested)} cannot be used, expected arrays: say which others are cameras, "
            "cameras=front:NAME, or cameras=none"
        )
    pictures = [name for name, values in episode.observation.items() if values.dtype == np.uint8 and values.ndim == 4]
    known = {name: name for name in pictures if name in list(CameraName)}
    if pictures and not known:
        raise UserError(
            f"its cameras are {', '.join(pictures)}, trailkit's {', '.join(CameraName)}: say which is which, "
            f"for instance cameras=front:{pictures[0]}, or cameras=none"
        )
    return known


def _proprio(episode: Episode, words: Words) -> Sequence[str]:
    if words.proprio is not None:
        return words.proprio
    return ("proprio",) if "proprio" in episode.observation else ()


def _action_space(episode: Episode) -> ActionSpace:
    sizes = {make_controller(space).size: space for space in ActionSpace}
    found = episode.action.shape[-1]
    if found not in sizes:
        known = " or ".join(f"{size} ({space})" for size, space in sizes.items())
        raise UserError(f"its actions have {found} numbers, trailkit's {known}: they are of another robot")
    return sizes[found]


def _observation_settings(episode: Episode, cameras: Mapping[str, str], proprio: Sequence[str]) -> ObservationSettings:
    default = ObservationSettings()
    shapes = [_pictures(episode, name).shape for name in cameras.values()]
    height, width = shapes[0][1:3] if shapes else (default.height, default.width)
    return ObservationSettings(tuple(cameras), height, width, proprioception=bool(proprio))


def _adopted(episode: Episode, cameras: Mapping[str, str], proprio: Sequence[str], settings: EnvSettings) -> Episode:
    observation = {camera: _pictures(episode, name) for camera, name in cameras.items()}
    if proprio:
        parts = [numbers(f"observation {name!r}", _observed(episode, name)) for name in proprio]
        observation["proprio"] = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        size = observation["proprio"].shape[1]
        if size != PROPRIOCEPTION_SIZE:
            raise UserError(
                f"proprioception of {size} numbers, trailkit's has {PROPRIOCEPTION_SIZE}: it is of another robot, "
                "leave it out with proprio=none"
            )
    if np.abs(episode.action).max(initial=0) > 1:
        raise UserError(f"actions of up to {np.abs(episode.action).max():g}: expected all within -1 and 1")
    if episode.length > settings.episode_steps:
        raise UserError(f"{episode.length} steps: say how many there may be, episode_steps={episode.length} or more")
    return episode._replace(observation=observation)


def _pictures(episode: Episode, name: str) -> NDArray[Any]:
    values = _observed(episode, name)
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[-1] != 3:
        raise UserError(f"camera {name!r} is {values.dtype} {list(values.shape)}: expected uint8 [T+1, H, W, 3]")
    return values


def _observed(episode: Episode, name: str) -> NDArray[Any]:
    if name not in episode.observation:
        raise unknown("observation", name, episode.observation)
    values, rows = episode.observation[name], episode.length + 1
    expected = f"expected an array of {rows} rows, one before each action and one after the last"
    if not isinstance(values, np.ndarray):
        raise UserError(f"observation {name!r} is a {type(values).__name__}: {expected}")
    if values.shape[:1] != (rows,):
        raise UserError(f"observation {name!r} has the shape {list(values.shape)}: {expected}")
    return values
