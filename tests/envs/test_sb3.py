"""Stable-Baselines3 on trailkit's ids."""

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.monitor import Monitor

from trailkit.envs import registration

PICTURES = {"image_size": 36}  # the least that Stable-Baselines3's convolutions take
PROPRIO: dict[str, Any] = {"cameras": ()}
STATE: dict[str, Any] = {"cameras": (), "state": True}


@pytest.mark.render
@pytest.mark.parametrize("kwargs", [PICTURES, PROPRIO, STATE], ids=["pictures", "proprio", "state"])
@pytest.mark.parametrize("task", registration.IDS)
def test_every_id_passes_stable_baselines3s_checker_without_a_warning(task: str, kwargs: dict[str, Any]) -> None:
    env = gymnasium.make(registration.IDS[task], render_mode="rgb_array", **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Gymnasium adds filters of its own, which let its warnings pass
        check_env(env.unwrapped)
    env.close()


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize(
    ("kwargs", "learner", "steps"),
    [
        (STATE, lambda env: SAC("MultiInputPolicy", env, learning_starts=900, seed=0, device="cpu"), 1000),
        (STATE, lambda env: PPO("MultiInputPolicy", env, n_steps=500, batch_size=100, seed=0, device="cpu"), 1000),
        (PICTURES, lambda env: PPO("MultiInputPolicy", env, n_steps=50, batch_size=50, seed=0, device="cpu"), 100),
    ],
    ids=["sac-state", "ppo-state", "ppo-pictures"],
)
def test_stable_baselines3_learns_without_a_warning_and_reads_the_success(
    kwargs: dict[str, Any], learner: Callable[[Monitor], BaseAlgorithm], steps: int
) -> None:
    made = gymnasium.make(registration.IDS["reach"], episode_steps=50, **kwargs)
    env = Monitor(made, info_keywords=("is_success",))
    model = learner(env)
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.learn(steps)
    assert any((value != before[name]).any() for name, value in model.policy.state_dict().items())
    assert env.get_episode_lengths() == [50] * (steps // 50)
    assert model.ep_success_buffer is not None and len(model.ep_success_buffer) == steps // 50
    assert model.ep_info_buffer is not None and model.ep_info_buffer[-1]["is_success"] in (False, True)
    action, _ = model.predict(env.reset(seed=0)[0], deterministic=True)
    assert action.dtype == np.float32 and env.action_space.contains(action)
    env.close()
