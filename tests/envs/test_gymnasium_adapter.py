import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from environments import STATE, run_python
from gymnasium.utils.env_checker import check_env

from trailkit.envs import registration
from trailkit.envs.errors import UserError
from trailkit.envs.gymnasium_adapter import GymnasiumAdapter
from trailkit.envs.make import make_environment
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin
from trailkit.envs.tasks import TASKS
from trailkit.envs.tasks.environment import TaskEnvironment


def _make(task: str = "reach", **kwargs: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(registration.IDS[task], **kwargs)


@pytest.mark.render
@pytest.mark.parametrize(
    "kwargs",
    [
        {"image_size": 32},
        {"image_size": 32, "action_space": ActionSpace.JOINT.value},
        {"cameras": []},
        {"cameras": [], "state": True},
    ],
    ids=["cartesian", "joint", "proprio", "state"],
)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_passes_gymnasiums_checker_without_a_warning(task: str, kwargs: dict[str, Any]) -> None:
    env = _make(task, render_mode="rgb_array", **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Gymnasium adds filters of its own, which let its warnings pass
        check_env(env.unwrapped)
    env.close()


def test_every_task_has_an_id() -> None:
    assert set(registration.IDS) == set(TASKS)
    assert all(name in gymnasium.registry for name in registration.IDS.values())


@pytest.mark.render
def test_an_id_works_in_a_fresh_interpreter() -> None:
    program = (
        "import gymnasium\n"
        "env = gymnasium.make('trailkit.envs:trailkit/Lift-v0', render_mode='rgb_array')\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())\n"
        "print(env.render().shape)"
    )
    for before in ("", "import mujoco\n"):
        done = run_python(before + program)
        assert (done.stdout, done.stderr, done.returncode) == ("(480, 640, 3)\n", "", 0)


@pytest.mark.render
def test_spaces_and_observations_agree() -> None:
    env = _make("lift", cameras=("left",), image_size=24)
    picture, proprio = env.observation_space["left"], env.observation_space["proprio"]  # type: ignore[index]
    assert (picture.shape, picture.dtype, picture.low.min(), picture.high.max()) == ((24, 24, 3), np.uint8, 0, 255)
    assert (proprio.shape, proprio.dtype) == ((21,), np.float32)
    assert (env.action_space.shape, env.action_space.dtype) == ((4,), np.float32)
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    assert info == {"success": False, "is_success": False}
    env.close()


def test_the_state_of_things_is_observed_on_request_only() -> None:
    plain, told = _make(cameras=()), _make(cameras=(), state=True)
    without, observation = plain.reset(seed=3)[0], told.reset(seed=3)[0]
    assert set(without) == {"proprio"}
    assert set(observation) == {"proprio", "state"}
    np.testing.assert_array_equal(without["proprio"], observation["proprio"])
    assert observation in told.observation_space
    inner = told.unwrapped.env  # type: ignore[attr-defined]
    np.testing.assert_array_equal(observation["state"], inner.things())
    later = told.step(np.ones(4, np.float32))[0]
    np.testing.assert_array_equal(later["state"], observation["state"])  # the ball hovers where it is
    assert (told.reset()[0]["state"] != observation["state"]).any()
    plain.close()
    told.close()


@pytest.mark.parametrize("steps", [200, 230])
def test_the_time_limit_truncates_once_and_never_terminates(steps: int) -> None:
    env = _make(cameras=(), episode_steps=steps)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, np.float32))[2:4] for _ in range(steps)]
    assert ends == [(False, False)] * (steps - 1) + [(False, True)]
    env.close()


def test_success_is_told_and_does_not_end_the_episode() -> None:
    with TaskEnvironment(EnvSettings("lift", observation=STATE), seed=0) as inner:
        env = GymnasiumAdapter(inner)
        env.reset()
        inner.task._blocks[0].set_pose(inner.physics, position=(0.0, 0.0, 0.5))
        _, reward, terminated, truncated, info = env.step(np.zeros(4, np.float32))
        assert (reward, terminated, truncated, info) == (1.0, False, False, {"success": True, "is_success": True})


def test_a_discount_of_0_terminates(monkeypatch: pytest.MonkeyPatch) -> None:
    with TaskEnvironment(EnvSettings("reach", observation=STATE), seed=0) as inner:
        env = GymnasiumAdapter(inner)
        env.reset()
        monkeypatch.setattr(inner.task, "should_terminate_episode", lambda physics: True)
        monkeypatch.setattr(inner.task, "get_discount", lambda physics: 0.0)
        assert env.step(np.zeros(4, np.float32))[2:4] == (True, False)


def test_the_seed_is_the_environments() -> None:
    env = _make(cameras=())
    with TaskEnvironment(EnvSettings("reach", observation=STATE), seed=7) as inner:
        for seed in (7, None):
            np.testing.assert_array_equal(env.reset(seed=seed)[0]["proprio"], inner.reset().observation["proprio"])
    env.close()


def test_stepping_between_episodes_is_refused() -> None:
    env = GymnasiumAdapter(TaskEnvironment(EnvSettings("reach", observation=STATE, episode_steps=1), seed=0))
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\)"):
        env.step(np.zeros(4, np.float32))
    env.reset()
    env.step(np.zeros(4, np.float32))
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\)"):
        env.step(np.zeros(4, np.float32))
    env.close()
    env.close()


@pytest.mark.render
def test_pictures_for_people_and_their_rate() -> None:
    env = _make(cameras=(), render_mode="rgb_array")
    assert env.metadata["render_fps"] == 20
    env.reset(seed=0)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert (picture.shape, picture.dtype) == ((480, 640, 3), np.uint8)
    env.close()


@pytest.mark.parametrize("origin", [None, Origin.DM_CONTROL])
def test_every_seed_of_gymnasiums_is_an_episodes(origin: Origin | None) -> None:
    external = None if origin is None else External(origin, proprio={"arm": "position"}, success="never")
    distract = () if origin is None else ("colours",)
    task = "lift" if origin is None else "reacher/easy"
    env = GymnasiumAdapter(make_environment(EnvSettings(task, observation=STATE, external=external, distract=distract)))
    first, same, other, short = (env.reset(seed=seed)[0]["proprio"] for seed in (2**40, 2**40, 2**40 + 1, 0))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first != short).any()
    env.close()
    make_environment(env.env.settings, seed=2**40).close()


def test_the_rate_of_pictures_is_that_of_the_environment() -> None:
    seen = ObservationSettings(("own",), proprioception=False)
    slow = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM, action_repeat=2))
    env = GymnasiumAdapter(make_environment(slow))
    assert env.metadata["render_fps"] == pytest.approx(10)
    env.close()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"action_space": "cartesain"}, "unknown action space 'cartesain': did you mean 'cartesian'"),
        ({"cameras": "front"}, r"cameras='front' is a string: give a list of names, such as \['front'\]"),
        ({"cameras": ["top"]}, "unknown camera 'top'"),
        ({"image_size": 4}, "image size 4x4"),
    ],
)
def test_bad_arguments_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _make(**kwargs)


def test_an_unknown_render_mode_is_refused() -> None:
    make: Callable[..., GymnasiumAdapter] = GymnasiumAdapter
    with TaskEnvironment(EnvSettings("reach", observation=STATE)) as env, pytest.raises(UserError, match="'rgb_aray'"):
        make(env, render_mode="rgb_aray")
