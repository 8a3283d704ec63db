import numpy as np
import pytest
from demonstrations import SOURCE, make_episode

from trailkit.demos.store import DemoStore
from trailkit.envs.settings import EnvSettings, ObservationSettings

SMALL = EnvSettings("lift", observation=ObservationSettings(("front", "wrist"), 16, 20), episode_steps=12)


@pytest.fixture
def make_store(tmp_path):
    """Makes stores of noise: episodes of 5, 6, 7 … steps, with the simulator's states."""

    def make(settings=SMALL, episodes=3, name="demos", states=True, actions=4):
        store = DemoStore.create(tmp_path / name, settings, SOURCE)
        for number in range(episodes):
            episode = make_episode(number, length=5 + number, settings=settings, actions=actions, index=number)
            state = np.random.default_rng(number).normal(size=(6 + number, 9)) if states else None
            store.append(episode._replace(state=state))
        return store

    return make
