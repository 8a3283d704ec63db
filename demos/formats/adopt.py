"""Maps demonstrations that trailkit did not record to trailkit's observations and environments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
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
from trailkit.envs.external.proprio import Proprioception
from trailkit.envs.make import signature
from trailkit.envs.settings import ActionSpace, CameraName, EnvSettings, ObservationSettings
from trailkit.envs.tasks import TASKS
from trailkit.replay.episode import Episode

_UNKNOWN = {"mujoco": "unknown", "dm-control": "unknown"}  # versions
_ROUNDING = 1e-6  # tolerance for actions outside their bounds

_Take = Callable[[Episode], NDArray[np.float32]]


@dataclass(frozen=True)
class Words:
    """What a user states about such demonstrations; None where nothing was stated."""

    task: str | None = None
    episode_steps: int | None = None
    cameras: Mapping[str, str] | None = None  # trailkit's camera names to the source's
    proprio: Sequence[str] | None = None  # the source's names of the parts of proprioception
    environment: EnvSettings | None = None  # their environment, instead of task and episode_steps

    @classmethod
    def parse(cls, said: Mapping[str, str | None]) -> Self:
        """Parses the words as the user writes them: cameras=front:agentview,wrist:hand, or none.

        Raises:
            UserError: If one is invalid.
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
    """Converts the demonstrations to what trailkit would have recorded.

    Args:
        contents: The contents that were read.
        words: What the user states about them.
        path: Where they were read from.

    Returns:
        The manifest, without rows, and the episodes.

    Raises:
        UserError: If they cannot be used, or need more words first; for all but the first, raised by the iterator.
    """
    first = next(contents.episodes, None)
    if first is None:
        raise UserError(f"{path} holds no demonstrations")
    with _named(path):
        task = _task(contents, words) if words.environment is None else words.environment.task
        cameras, proprio = _cameras(first, words), _proprio(first, words)
    with _named(f"{path}, demonstration 0"):
        settings = words.environment or EnvSettings(
            task=task,
            action_space=_action_space(first),
            observation=_observation_settings(first, cameras, proprio),
            episode_steps=words.episode_steps or EnvSettings().episode_steps,
        )
    new = Manifest.new(settings, {"device": "import", "from": path.name})
    manifest = replace(new, control_timestep=contents.control_timestep or new.control_timestep, versions=_UNKNOWN)
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
    ours = CameraName if words.environment is None else words.environment.observation.cameras
    names = [str(each) for each in ours]
    for camera in words.cameras or ():
        if camera not in names:
            raise unknown("camera", camera, names)
    if words.environment is None:
        return _found_cameras(episode) if words.cameras is None else words.cameras
    alike = {name: name for name in names if name in episode.observation}
    cameras = alike if words.cameras is None else words.cameras
    if missing := [name for name in names if name not in cameras]:
        raise UserError(
            f"the environment observes {', '.join(missing)}: say which of {', '.join(episode.observation)} that is, "
            f"cameras={missing[0]}:NAME, or which cameras it has, env.cameras=[]"
        )
    height, width = words.environment.observation.height, words.environment.observation.width
    for name in cameras.values():
        if (size := _pictures(episode, name).shape[1:3]) != (height, width):
            raise UserError(
                f"the pictures of {name} are {size[0]}x{size[1]}, those of the environment {height}x{width}: say "
                f"env.height={size[0]} env.width={size[1]}"
            )
    return cameras


def _found_cameras(episode: Episode) -> Mapping[str, str]:
    """The cameras whose names trailkit knows."""
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


def _proprio(episode: Episode, words: Words) -> _Take | None:
    """How proprioception is computed from an episode's observations; None if there is none."""
    environment = words.environment
    if environment is not None and not environment.observation.proprioception:
        if words.proprio:
            said = ",".join(words.proprio)
            raise UserError(
                f"proprio={said}: the environment has none, say what it is made of there, env.proprio={{…}}"
            )
        return None
    default = ["proprio"] if "proprio" in episode.observation else []
    if names := default if words.proprio is None else words.proprio:
        return partial(_joined, names)
    if environment is None:
        return None
    if environment.external is None or words.proprio is not None:
        raise UserError("the environment has proprioception: say what it is made of, proprio=NAME,NAME")
    return partial(_picked, Proprioception(environment.external.proprio))


def _joined(names: Sequence[str], episode: Episode) -> NDArray[np.float32]:
    """Some observations concatenated, [T+1, P]."""
    parts = [numbers(f"observation {name!r}", _observed(episode, name)) for name in names]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _picked(pick: Proprioception, episode: Episode) -> NDArray[np.float32]:
    """The parts of its own observations that the environment selects, [T+1, P]."""
    arrays = {name: values for name, values in episode.observation.items() if isinstance(values, np.ndarray)}
    whole = {name: values for name, values in arrays.items() if values.shape[:1] == (episode.length + 1,)}
    return np.stack([pick({name: values[row] for name, values in whole.items()}) for row in range(episode.length + 1)])


def _action_space(episode: Episode) -> ActionSpace:
    sizes = {make_controller(space).size: space for space in ActionSpace}
    found = episode.action.shape[-1]
    if found not in sizes:
        known = " or ".join(f"{size} ({space})" for size, space in sizes.items())
        raise UserError(
            f"its actions have {found} numbers, trailkit's {known}: they are of another robot, say of which, "
            "env=robot.yaml"
        )
    return sizes[found]


def _observation_settings(episode: Episode, cameras: Mapping[str, str], proprio: _Take | None) -> ObservationSettings:
    default = ObservationSettings()
    shapes = [_pictures(episode, name).shape for name in cameras.values()]
    height, width = shapes[0][1:3] if shapes else (default.height, default.width)
    return ObservationSettings(tuple(cameras), height, width, proprioception=proprio is not None)


def _adopted(episode: Episode, cameras: Mapping[str, str], proprio: _Take | None, settings: EnvSettings) -> Episode:
    observation = {camera: _pictures(episode, name) for camera, name in cameras.items()}
    if proprio is not None:
        observation["proprio"] = proprio(episode)
        _check_size(observation["proprio"].shape[1], settings)
    if episode.length > settings.episode_steps:
        key = "episode_steps" if settings.external is None else "env.episode_steps"
        raise UserError(f"{episode.length} steps: say how many there may be, {key}={episode.length} or more")
    return episode._replace(observation=observation, action=_actions(episode.action, settings))


def _check_size(proprio: int, settings: EnvSettings) -> None:
    expected = signature(settings).proprio_size
    if proprio == expected:
        return
    if settings.external is None:
        raise UserError(
            f"proprioception of {proprio} numbers, trailkit's has {expected}: it is of another robot, leave it out "
            "with proprio=none, or say of which environment it is, env=robot.yaml"
        )
    raise UserError(
        f"proprioception of {proprio} numbers, that of {settings.task} has {expected}: say what it is made of there, "
        "env.proprio={…}, and here, proprio=NAME,NAME"
    )


def _actions(theirs: NDArray[np.float32], settings: EnvSettings) -> NDArray[np.float32]:
    """Converts actions in the environment's own units, [T, A], to actions in [-1, 1]."""
    size, _, _, low, high = signature(settings)
    if theirs.shape[1] != size:
        raise UserError(f"its actions have {theirs.shape[1]} numbers, those of {settings.task} {size}")
    middle, reach = np.add(low, high) / 2, np.subtract(high, low) / 2
    reach[reach == 0] = 1.0  # an entry whose bounds are equal cannot be changed
    ours: NDArray[np.float64] = (theirs - middle) / reach
    if np.abs(ours).max(initial=0) > 1 + _ROUNDING:
        bounds = f"{min(low):g} and {max(high):g}" + ", the environment's bounds" * (settings.external is not None)
        raise UserError(f"actions of up to {np.abs(theirs).max():g}: expected all within {bounds}")
    return ours.clip(-1.0, 1.0).astype(np.float32)


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
