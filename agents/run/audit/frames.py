"""The frames that an audit examines: of demonstrations, and of a random policy in the trainer's environment."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.random import RandomDevice
from trailkit.demos.store import DemoStore
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, ObservationSettings

Floats = NDArray[np.float64]

MAX_EPISODES = 50  # of demonstrations: more would take longer without more information
_SPREAD = 12  # frames that represent a whole episode
_NO_PICTURES = ObservationSettings(cameras=())
_PLAYED, _RESET = 1, 2  # the purposes of episodes, each with its own seeds


class Moments(NamedTuple):
    """Which frames of which episodes, M in total."""

    episode: NDArray[np.int64]  # [M], from 0
    age: NDArray[np.int64]  # [M], steps since reset
    early: NDArray[np.bool_]  # [M], whether it is an early frame
    spread: NDArray[np.bool_]  # [M], whether it is one of those spread over the whole episode

    def of(self, which: NDArray[np.bool_]) -> Self:
        """Some of the moments."""
        return self._replace(
            episode=self.episode[which], age=self.age[which], early=self.early[which], spread=self.spread[which]
        )

    @property
    def start(self) -> NDArray[np.bool_]:
        """Which are the first frames of their episodes, [M]."""
        first: NDArray[np.bool_] = self.age == 0
        return first


class Part(NamedTuple):
    """What an audit keeps of one or more episodes."""

    moments: Moments
    pictures: dict[str, NDArray[np.uint8]]  # [M, H, W, 3] a camera; empty for episodes that are not rendered yet
    states: Floats | None  # [M, S]
    solved: NDArray[np.bool_]  # [M], whether the task is solved


def read_demos(store: DemoStore, early_steps: int) -> Iterator[Part]:
    """Reads demonstrations one by one, evenly chosen if there are many."""
    count = min(len(store), MAX_EPISODES)
    for number, index in enumerate(np.linspace(0, len(store) - 1, count).round().astype(int)):
        episode = store.read(int(index))
        moments = _choose(number, episode.length, early_steps)
        yield Part(
            moments,
            {camera: episode.observation[camera][moments.age] for camera in store.settings.observation.cameras},
            None if episode.state is None else episode.state[moments.age],
            np.concatenate([[False], episode.success])[moments.age],
        )


def play_random(settings: EnvSettings, episodes: int, early_steps: int, seed: int) -> Iterator[Part]:
    """Plays episodes of a random policy one by one, without rendering."""
    with make_environment(replace(settings, observation=_NO_PICTURES)) as env:
        device = RandomDevice(env, seed)
        for number in range(episodes):
            env.seed(_start_seed(seed, _PLAYED, number))
            env.reset()
            device.reset()
            states, solved = [env.state()], [env.solved]
            for _ in range(settings.episode_steps):
                env.step(device.act())
                states.append(env.state())
                solved.append(env.solved)
            moments = _choose(number, settings.episode_steps, early_steps)
            yield Part(moments, {}, np.stack(states)[moments.age], np.array(solved)[moments.age])


def draw_starts(settings: EnvSettings, count: int, seed: int) -> Floats:
    """The states in which episodes of the trainer's environment start, [count, S]."""
    states = []
    with make_environment(replace(settings, observation=_NO_PICTURES)) as env:
        for number in range(count):
            env.seed(_start_seed(seed, _RESET, number))
            env.reset()
            states.append(env.state())
    return np.stack(states)


def join(parts: list[Part]) -> Part:
    """Concatenates the episodes of several parts; the result has states if each part has them."""
    states = [part.states for part in parts if part.states is not None]
    moments = zip(*(part.moments for part in parts), strict=True)
    return Part(
        Moments(*(np.concatenate(each) for each in moments)),
        {camera: np.concatenate([part.pictures[camera] for part in parts]) for camera in parts[0].pictures},
        np.concatenate(states) if len(states) == len(parts) else None,
        np.concatenate([part.solved for part in parts]),
    )


def _start_seed(seed: int, purpose: int, number: int) -> int:
    """A seed that no recording uses: starts equal to the demonstrations' would all look alike."""
    return int(np.random.SeedSequence(seed, spawn_key=(purpose, number)).generate_state(1)[0])


def _choose(number: int, length: int, early_steps: int) -> Moments:
    """The early frames of an episode, and some spread over it."""
    spread = np.unique(np.linspace(0, length, _SPREAD).round().astype(np.int64))
    age = np.union1d(spread, np.arange(min(early_steps, length + 1)))
    return Moments(np.full(len(age), number), age, age < early_steps, np.isin(age, spread))
