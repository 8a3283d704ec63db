"""Small random episodes, and the window of one that a transition should be."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.episode import Episode
from trailkit.replay.transition import Transition


def random_episode(
    length: int, seed: int = 0, size: int = 6, terminal: bool = False, proprio: int = 3, actions: int = 2
) -> Episode:
    """Returns an episode whose every row differs from every other's; `seed` is its first action, in hundredths."""
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (length, actions)).astype(np.float32)
    action[:, 0] = seed / 100
    discount = np.ones(length, np.float32)
    discount[-1] = 0.0 if terminal else 1.0
    return Episode(
        observation={
            "front": rng.integers(0, 256, (length + 1, size, size, 3), dtype=np.uint8),
            "proprio": rng.normal(size=(length + 1, proprio)).astype(np.float32),
        },
        action=action,
        reward=rng.normal(size=length).astype(np.float32),
        discount=discount,
        success=rng.random(length) < 0.5,
        metadata={"seed": seed},
    )


def episode_of(batch: Transition, index: int) -> int:
    """The seed of the episode that an item of a batch comes from."""
    return round(100 * float(batch.action[index, 0]))


def assert_is_window(batch: Transition, index: int, episode: Episode, n: int) -> None:
    """Fails unless the item is the episode's window at its age, padded as `Transition` says."""
    age, length = int(batch.age[index]), episode.length
    steps = min(n, length - age)
    real = slice(age, age + steps)
    arrived = [*range(age + 1, age + steps + 1), *[length] * (n - steps)]
    assert batch.steps[index] == steps
    np.testing.assert_array_equal(batch.action[index], episode.action[age])
    np.testing.assert_array_equal(batch.reward[index], _padded(episode.reward[real], n, 0.0))
    np.testing.assert_array_equal(batch.discount[index], _padded(episode.discount[real], n, 1.0))
    for name, values in episode.observation.items():
        np.testing.assert_array_equal(batch.observation[name][index], values[age])
        np.testing.assert_array_equal(batch.next_observation[name][index], values[arrived])


def _padded(values: NDArray[np.float32], n: int, padding: float) -> NDArray[Any]:
    return np.concatenate([values, np.full(n - len(values), padding, np.float32)])
