"""Who only plays is made without all that learns, and plays no differently."""

import numpy as np
import pytest
import torch

from trailkit.agents.run.build import make_agent, make_device, make_player, make_policy
from trailkit.agents.run.configuration import configure
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, ObservationSettings

ENV = EnvSettings("reach", observation=ObservationSettings(height=36, width=36))
STEPS = 40


@pytest.mark.parametrize("method", ["trail", "gail_critic", "d4pgfd", "bc"])
def test_with_the_learners_weights_actions_and_stops_are_the_same(method: str) -> None:
    words = ["demos=somewhere", "env=reach", "env.height=36", "env.width=36", "actor.min_steps=0", "actor.patience=1"]
    config = configure("train", TrainConfig, [*words, f"method={method}", "device=cpu"])
    agent, player, policy = make_agent(config, ENV), make_player(config, ENV), make_policy(config, ENV)
    parts = (agent.explorer, player.explorer, agent.stop, player.stop, agent.evaluator, policy)
    for part in parts:
        part.load(agent.learner.parameters())
        part.reset()
    generator, env = np.random.default_rng(0), make_environment(ENV, 0)
    observation, stops = env.reset().observation, []
    for _ in range(STEPS):
        observation = {**observation, "front": generator.integers(0, 256, (36, 36, 3), np.uint8)}
        action = agent.explorer.act(observation)
        np.testing.assert_array_equal(action, player.explorer.act(observation))
        np.testing.assert_array_equal(agent.evaluator.act(observation), policy.act(observation))
        stops.append((agent.stop(observation, 0.0), player.stop(observation, 0.0)))
    assert all(one == other for one, other in stops)
    assert any(one for one, _ in stops) == (method == "trail")


@pytest.mark.parametrize(("kind", "crop"), [("compact", "0.1"), ("residual", "0.01")])
def test_pictures_too_small_for_an_encoder_are_refused_in_one_line(kind: str, crop: str) -> None:
    words = ["demos=somewhere", "env=reach", "method=trail", f"encoder={kind}", f"discriminator.crop={crop}"]
    config = configure("train", TrainConfig, [*words, "device=cpu"])
    with pytest.raises(UserError, match=r"pictures as small as front .*: choose a larger env\.height") as error:
        make_agent(config, EnvSettings("reach"))
    assert "\n" not in str(error.value)


def test_one_of_several_gpus_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert [str(make_device(name)) for name in ("cuda", "cuda:1", "auto", "cpu")] == ["cuda", "cuda:1", "cuda", "cpu"]
    assert chosen == [torch.device("cuda:1")]
    with pytest.raises(UserError, match="device=cuda:2, but torch sees 2 CUDA devices: cuda:0 is the first"):
        make_device("cuda:2")
