"""A user's own script, in the environment of tests/arm.py."""

from pathlib import Path

import numpy as np
import pytest
from own_parts import returns, turn_to_the_ball, two_numbers, two_steps

from trailkit.demos.own_expert import OwnExpert, Script
from trailkit.demos.record import record
from trailkit.demos.store import DemoStore
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


@pytest.fixture
def env() -> Environment:
    arm = External(Origin.GYMNASIUM, proprio={"joint": "[0:2]"})
    settings = EnvSettings("arm:Arm-v0", observation=ObservationSettings(()), episode_steps=60, external=arm)
    return make_environment(settings)


def actions(env: Environment, folder: Path, noise: float, seed: int = 0) -> list[np.ndarray]:
    store = DemoStore.create(folder, env.settings, {})
    expert = OwnExpert(env, turn_to_the_ball, noise)
    assert all(attempt.success for attempt in record(env, expert, store, 3, seed))
    return [episode.action for episode in store.episodes()]


def test_it_solves_what_it_was_written_for_and_episodes_follow_from_their_seed(
    env: Environment, tmp_path: Path
) -> None:
    once, again, steady = (
        actions(env, tmp_path / name, noise) for name, noise in zip("abc", (0.3, 0.3, 0), strict=True)
    )
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(one.shape != other.shape or (one != other).any() for one, other in zip(once, steady, strict=True))
    for action in (*once, *steady):
        assert action.dtype == np.float32 and np.abs(action).max() <= 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (two_steps, r"the expert ended before the episode did: it must yield \[1\] in \[-1, 1\] for each step"),
        (two_numbers, r"the expert gave an action \[2\]: it must yield \[1\]"),
        (returns, "the expert gives a list: it must yield an action for each step"),
    ],
)
def test_a_script_that_will_not_do_is_named(script: Script, message: str, env: Environment, tmp_path: Path) -> None:
    store = DemoStore.create(tmp_path, env.settings, {})
    with pytest.raises(UserError, match=message):
        list(record(env, OwnExpert(env, script), store, 1, 0))


def test_negative_noise_is_refused(env: Environment) -> None:
    with pytest.raises(UserError, match="noise is -1"):
        OwnExpert(env, turn_to_the_ball, -1)
