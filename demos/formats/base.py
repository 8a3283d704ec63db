"""What a format for exchanging demonstrations is, and what all of them share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.manifest import Manifest
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.registration import IDS
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings
from trailkit.replay.episode import Episode


class Contents(NamedTuple):
    """What a file or folder of another format holds."""

    episodes: Iterator[Episode]  # in their order; of others' data unchecked, with the observations' names there
    manifest: Manifest | None  # the recording's, without rows; None if trailkit did not write this
    task: str | None = None  # what others' data says of its task
    control_timestep: float = CONTROL_TIMESTEP  # seconds, the same


class Format(Protocol):
    """A way in which others store demonstrations."""

    def write(self, store: DemoStore, path: Path) -> None:
        """Writes all demonstrations of a store to `path`, which is afterwards whole or absent.

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
    """
    actions = np.asarray(action, np.float32)
    rewards = np.zeros(len(actions), np.float32) if reward is None else np.asarray(reward, np.float32).reshape(-1)
    return Episode(
        observation=observation,
        action=actions,
        reward=rewards,
        discount=np.ones(len(actions), np.float32) if discount is None else np.asarray(discount, np.float32),
        success=rewards > 0 if success is None else np.asarray(success, np.bool_).reshape(-1),
        metadata=metadata,
        state=state,
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
    }


def task_of(environment: object) -> str | None:
    """The task behind a name in Gymnasium's registry, if it is one of trailkit's."""
    return {name: task for task, name in IDS.items()}.get(str(environment))


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever a damaged or foreign file makes a library raise into an error that names the file."""
    try:
        yield
    except UserError:
        raise
    except (OSError, LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path} cannot be read as {kind}: {reason}; give demonstrations in that format, whole"
        ) from error
