"""Recording: a device commands the robot, and each episode is stored as soon as it ends."""

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.manifest import CONTROL, INDEX, SEED, VERSIONS, current_versions
from trailkit.demos.match import ENVIRONMENT
from trailkit.demos.store import DemoStore
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode, EpisodeBuilder

_MAX_FAILURES = 50  # in a row: a device that fails this often will keep failing


class Device(Protocol):
    """Commands the robot as fast as it can be simulated: a script or random actions. A person uses a `Teleoperator`."""

    def reset(self) -> None:
        """Starts an episode after the environment was reset.

        A device that uses random numbers seeds its generator here from the environment's `random_state`, so that an
        episode depends only on its seed.
        """

    def act(self) -> NDArray[np.float32]:
        """Returns the next action, float32 [A] in [-1, 1]."""


class Attempt(NamedTuple):
    """A finished episode, kept or not."""

    kept: bool
    length: int
    success: bool
    episode_return: float


def record(
    env: Environment, device: Device, store: DemoStore, episodes: int, seed: int, keep_failures: bool = False
) -> Iterator[Attempt]:
    """Adds episodes to a store, and yields the outcome of each attempt.

    Attempt `index` starts from `SeedSequence([seed, index])`. Indices continue after the store's episodes of the same
    seed, so that resuming an interrupted recording gives the same result as an uninterrupted one.

    Args:
        env: The environment to record.
        device: Commands the robot.
        store: Where the episodes go; each is on disk when its attempt is yielded.
        episodes: How many to add.
        seed: Seeds the episodes.
        keep_failures: Whether to also store episodes in which the task was never solved.

    Raises:
        UserError: If the store belongs to another environment or cannot be written, or if the device keeps failing.
    """
    store.check(env.settings)
    failures = 0
    kept = 0
    for index in count(next_index(store, seed)):
        if kept == episodes:
            return
        episode = _play(env, device, EpisodeBuilder(provenance(store, seed, index)), start_seed(seed, index))
        success = bool(episode.success.any())
        failures = 0 if success else failures + 1
        keep = success or keep_failures
        if keep:
            store.append(episode)
            kept += 1
        elif failures == _MAX_FAILURES:
            raise UserError(
                f"the device failed at {env.settings.task} {failures} times in a row, {kept} episodes were kept: "
                "lower its noise, give it more episode_steps, or set keep_failures=true to see what it does"
            )
        yield Attempt(keep, episode.length, success, float(episode.reward.sum()))


def next_index(store: DemoStore, seed: int) -> int:
    """The first index of a seed after the store's episodes of that seed."""
    found = (row.metadata for row in store.manifest.episodes)
    return 1 + max((each[INDEX] for each in found if each.get(SEED) == seed), default=-1)


def start_seed(seed: int, index: int) -> int:
    """The seed that determines how attempt `index` of a recording starts."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def provenance(store: DemoStore, seed: int, index: int) -> dict[str, Any]:
    """The metadata of an episode: what recorded it, with which versions, in which environment, and how it started."""
    return {
        **store.source,
        VERSIONS: current_versions(),
        SEED: seed,
        INDEX: index,
        ENVIRONMENT: store.settings.to_dict(),
        CONTROL: store.manifest.control_timestep,
    }


def _play(env: Environment, device: Device, builder: EpisodeBuilder, seed: int) -> Episode:
    env.seed(seed)
    timestep = env.reset()
    device.reset()
    episode = builder.add(timestep, None, success=False, state=env.state())
    while episode is None:
        action = device.act()
        timestep = env.step(action)
        episode = builder.add(timestep, action, success=env.solved, state=env.state())
    return episode
