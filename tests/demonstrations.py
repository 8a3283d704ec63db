"""Small demonstrations for the tests."""

import numpy as np

from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.replay.episode import Episode

SETTINGS = EnvSettings("lift", observation=ObservationSettings(height=16, width=20), episode_steps=12)
SOURCE = {"device": "scripted", "noise": 0.2, "seed": 0}


def make_episode(seed=0, length=6, settings=SETTINGS, actions=4, solved_from=4, **metadata):
    """An episode of noise that fits the settings, solved from a step on."""
    random = np.random.default_rng(seed)
    observation = {
        camera: random.integers(
            0, 256, (length + 1, settings.observation.height, settings.observation.width, 3), np.uint8
        )
        for camera in settings.observation.cameras
    }
    if settings.observation.proprioception:
        observation["proprio"] = random.normal(size=(length + 1, 21)).astype(np.float32)
    success = np.arange(length) >= solved_from
    return Episode(
        observation=observation,
        action=random.uniform(-1, 1, (length, actions)).astype(np.float32),
        reward=success.astype(np.float32),
        discount=np.ones(length, np.float32),
        success=success,
        metadata=metadata,
    )


def assert_same(episode, other):
    """Says whether two episodes are equal to the last bit."""
    assert episode.observation.keys() == other.observation.keys()
    for name, values in episode.observation.items():
        np.testing.assert_array_equal(values, other.observation[name])
    for name in ("action", "reward", "discount", "success", "metadata", "state"):
        np.testing.assert_equal(getattr(episode, name), getattr(other, name))
