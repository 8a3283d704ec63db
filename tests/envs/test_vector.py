"""Gymnasium's vector environments of trailkit's ids."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from environments import run_python
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics

from trailkit.envs import registration

LIMIT = 4
STILL = np.zeros((2, 4), np.float32)
# GL contexts of the parent, one freed and one alive, are what a fork takes along.
FORKED = """
import warnings
import gymnasium
import numpy as np
warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # Python 3.12's, whenever there are threads
ID = "trailkit.envs:trailkit/Reach-v0"
for _ in range(2):
    drawn = gymnasium.make(ID, render_mode="rgb_array")
    drawn.reset(seed=5)
    drawn.render()
envs = gymnasium.make_vec(
    ID, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "fork"}, render_mode="rgb_array"
)
observation, _ = envs.reset(seed=4)
one, two = envs.render()
assert (two == drawn.render()).all() and (one != two).any()
assert (observation["front"][0] != observation["front"][1]).any()
envs.close()
print("drawn")
"""


@pytest.fixture(params=["sync", "spawn", "forkserver"])
def envs(request: pytest.FixtureRequest) -> Iterator[VectorEnv[Any, Any, Any]]:
    made = gymnasium.make_vec(
        registration.IDS["reach"],
        num_envs=2,
        vectorization_mode="sync" if request.param == "sync" else "async",
        vector_kwargs={} if request.param == "sync" else {"context": request.param},
        image_size=32,
        episode_steps=LIMIT,
        render_mode="rgb_array",
    )
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.render
def test_vector_environments_draw_begin_anew_and_repeat_themselves(envs: VectorEnv[Any, Any, Any]) -> None:
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observation, info = envs.reset(seed=7)
    begun = {name: values.copy() for name, values in observation.items()}
    assert begun["front"].shape == (2, 32, 32, 3)
    assert info["success"].tolist() == [False, False]
    for name, (one, two) in begun.items():
        assert (one != two).any(), name

    drawn, called = envs.render(), envs.call("render")
    assert drawn is not None
    assert [picture.shape for picture in drawn] == [(480, 640, 3)] * 2
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn, called)

    for step in range(1, LIMIT + 1):
        _, _, terminated, truncated, info = envs.step(STILL)
        assert (terminated.tolist(), truncated.tolist()) == ([False] * 2, [step == LIMIT] * 2)
        assert info["success"].tolist() == info["is_success"].tolist() == [False, False]
    observation, reward, _, truncated, _ = envs.step(STILL)
    assert (reward.tolist(), truncated.tolist()) == ([0.0, 0.0], [False, False])
    assert (observation["front"] != begun["front"]).any()

    again, _ = envs.reset(seed=7)
    for name, values in begun.items():
        np.testing.assert_array_equal(again[name], values)


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_forked_workers_draw_though_the_parent_drew(backend: str) -> None:
    done = run_python(FORKED, MUJOCO_GL=backend)
    assert (done.stdout, done.stderr, done.returncode) == ("drawn\n", "", 0)


def test_a_loop_over_flat_observations_gets_the_statistics_of_episodes() -> None:
    def make() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(registration.IDS["reach"], cameras=[], state=True, episode_steps=LIMIT)
        return RecordEpisodeStatistics(FlattenObservation(env))

    envs = SyncVectorEnv([make, make])
    observation, _ = envs.reset(seed=1)
    assert (observation.shape, observation.dtype) == ((2, 21 + 13), np.float32)
    ends = []
    for _ in range(2 * (LIMIT + 1)):
        _, _, _, truncated, info = envs.step(STILL)
        assert ("episode" in info) == truncated.all()
        if truncated.all():
            ends.append((info["episode"]["l"].tolist(), info["episode"]["r"].tolist(), info["is_success"].tolist()))
    assert ends == [([LIMIT] * 2, [0.0] * 2, [False] * 2)] * 2
    envs.close()
