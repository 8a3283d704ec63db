import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import arm
import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium import spaces

from trailkit.envs.errors import UserError
from trailkit.envs.external.environment import ExternalEnvironment
from trailkit.envs.make import make_environment, signature
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin
from trailkit.envs.testing import check_environment

ROBOT = {"joint": "[0:2]"}


def settings(
    task: str = "arm:Arm-v0",
    origin: Origin = Origin.GYMNASIUM,
    cameras: tuple[str, ...] = ("own",),
    steps: int = 20,
    size: int = 32,
    **external: Any,
) -> EnvSettings:
    seen = ObservationSettings(cameras, size, size, proprioception=bool(external.get("proprio")))
    return EnvSettings(task, observation=seen, episode_steps=steps, external=External(origin, **external))


def make(*words: Any, **more: Any) -> ExternalEnvironment:
    made = make_environment(settings(*words, **more), seed=0)
    assert isinstance(made, ExternalEnvironment)
    return made


CASES = [
    settings(proprio=ROBOT),
    settings("Pusher-v5", success="never"),
    settings("InvertedPendulum-v5", success="terminated"),
    settings("Pendulum-v1", success="reward>=-0.1"),
    settings("reacher/easy", Origin.DM_CONTROL, ("own", "hand"), success="reward>=1", proprio={"arm": "position"}),
    settings("manipulation/reach_site_features", Origin.DM_CONTROL, success="reward>=1"),
    settings("FetchPickAndPlace-v4", Origin.GYMNASIUM_ROBOTICS, ("own", "external_camera_0")),
    settings("hammer-v3", Origin.METAWORLD, ("corner2",), proprio={"hand": "observation[0:4]"}, action_repeat=4),
]


@pytest.mark.render
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.task)
def test_environments_of_elsewhere_keep_the_contract(case: EnvSettings) -> None:
    with make_environment(case) as env:
        check_environment(env)
        assert env.action_spec().shape == (signature(case).action_size,)
        assert signature(case).control_timestep == env.control_timestep


def test_settings_survive_json() -> None:
    for case in CASES:
        assert EnvSettings.from_dict(case.to_dict()) == case


@pytest.mark.render
def test_the_picture_is_that_of_the_environments_own_renderer() -> None:
    with make("Pusher-v5", success="never", size=96) as env:
        small = env.reset().observation["own"].astype(float)
        full = env.render("own", 480, 480).astype(float)
        theirs = env._source.picture().astype(float)
    assert np.abs(full - theirs).mean() < 1
    reduced = theirs.reshape(96, 5, 96, 5, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.95


def test_actions_are_stretched_clipped_and_repeated() -> None:
    env = make(cameras=(), proprio=ROBOT, action_repeat=3, success="never")
    env.reset()
    taken: list[float] = []
    env._source.step = lambda action, step=env._source.step: taken.append(action[0]) or step(action)  # type: ignore[method-assign, misc]
    env.step(np.array([0.5], np.float32))
    env.step(np.array([-9.0], np.float32))
    assert taken == [1.0, 1.0, 1.0, -2.0, -2.0, -2.0]
    assert env.control_timestep == pytest.approx(0.15)
    for wrong in ([0.0, 0.0], [np.nan]):
        with pytest.raises(UserError, match="an action"):
            env.step(wrong)


def test_the_time_limit_truncates_and_the_environments_end_terminates() -> None:
    env = make(cameras=(), proprio=ROBOT, steps=4)
    env.reset()
    discounts = [env.step(np.zeros(1)).discount for _ in range(4)]
    assert discounts == [1.0] * 4
    assert env.step(np.zeros(1)).first()  # the episode was over

    env = make(cameras=(), proprio=ROBOT, steps=400, sparse_reward=True)
    timestep = env.reset()
    while not timestep.last():
        timestep = env.step(np.array([0.1]))
    assert (timestep.discount, timestep.reward, env.solved) == (0.0, 1.0, True)


def test_no_limit_of_dm_controls_own_ends_an_episode() -> None:
    steps = 260  # their limit are 10 s, 250 steps
    with make(
        "manipulation/reach_site_features",
        Origin.DM_CONTROL,
        cameras=(),
        proprio={"arm": "jaco_arm/joints_pos"},
        steps=steps,
        success="never",
    ) as env:
        env.reset()
        lasts = [env.step(np.zeros(env.action_spec().shape)).last() for _ in range(steps)]
    assert lasts.index(True) == steps - 1


@pytest.mark.parametrize(
    ("task", "origin"),
    [
        ("arm:Arm-v0", Origin.GYMNASIUM),
        ("reacher/easy", Origin.DM_CONTROL),
        ("manipulation/reach_site_features", Origin.DM_CONTROL),
        ("reach-v3", Origin.METAWORLD),
    ],
)
def test_closing_twice_closes_once(task: str, origin: Origin) -> None:
    env = make(task, origin)
    env.close()
    env.close()


def test_rewards_of_repeated_steps_add_up() -> None:
    once, thrice = (make(cameras=(), proprio=ROBOT, action_repeat=repeat) for repeat in (1, 3))
    for env in (once, thrice):
        env.seed(5)
        env.reset()
    rewards = [once.step(np.array([0.3])).reward for _ in range(3)]
    assert thrice.step(np.array([0.3])).reward == pytest.approx(sum(rewards))


def test_a_policy_sees_the_robots_own_part_alone() -> None:
    env = make(cameras=(), proprio={"angle": "observation[:1]", "speed": "[1:2]"})
    timestep = env.reset()
    assert timestep.observation["proprio"].shape == (2,)
    assert env.told["observation"].shape == (4,)
    assert "proprio" not in make(cameras=("own",)).observation_spec()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"task": "Pusherr-v5"},
            r"unknown Gymnasium id 'Pusherr-v5': did you mean 'Pusher-v5'.* \(one that a module registers is MODULE",
        ),
        (
            {"task": "nowhere_to_be:Found-v0"},
            "nowhere_to_be:Found-v0: No module named 'nowhere_to_be' on the Python path",
        ),
        ({"task": "CartPole-v1"}, "CartPole-v1 has actions of the kind Discrete"),
        ({"cameras": ("abov",)}, "unknown camera 'abov': did you mean 'above'"),
        ({"cameras": ("zzz",)}, "unknown camera 'zzz': choose from above, own"),
        ({"proprio": {"arm": "joints"}}, "unknown entry of the observation in env.proprio.arm 'joints'"),
        ({"proprio": {"arm": "[7:9]"}}, "env.proprio.arm takes nothing of observation, which has 4 numbers"),
        ({"proprio": {"arm": "[0:9]"}}, "env.proprio.arm goes on to 9 in observation, which has 4 numbers"),
        ({"proprio": {"arm": ["0:2"]}}, r"env.proprio.arm is \['0:2'\]: put it in quotes, such as '\[0:4\]'"),
        ({"proprio": {"arm": "[7]"}}, r"env.proprio.arm=\[7\]: give an entry"),
        ({"success": "sometimes"}, "env.success=sometimes: expected info, info.KEY"),
        ({"kwargs": {"gravity": 3}, "task": "Pusher-v5"}, "cannot be made: .*gravity"),
        (
            {"task": "reacher/hardest", "origin": Origin.DM_CONTROL},
            "unknown task of reacher 'hardest': did you mean 'hard'",
        ),
        ({"task": "reachr/easy", "origin": Origin.DM_CONTROL}, "unknown domain of dm_control 'reachr': did you mean"),
        (
            {"task": "hamer-v3", "origin": Origin.METAWORLD},
            "unknown task of Meta-World 'hamer-v3': did you mean 'hammer",
        ),
        ({"task": "hammer-v3", "origin": Origin.METAWORLD, "kwargs": {"a": 1}}, "env=metaworld takes no env.kwargs"),
    ],
)
def test_what_does_not_exist_is_named(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**words)


def test_an_environment_that_tells_no_success_must_be_asked_otherwise() -> None:
    env = make(cameras=(), proprio=ROBOT, kwargs={"tells": False})
    env.reset()
    with pytest.raises(
        UserError, match=r"the environment tells no success or is_success \(its info has far\): say what"
    ):
        env.step(np.zeros(1))
    with make(cameras=(), proprio=ROBOT, kwargs={"tells": False}, success="info.far") as env:
        env.reset()
        env.step(np.zeros(1))
        assert env.solved


@pytest.mark.parametrize(
    ("origin", "extra"), [(Origin.METAWORLD, "metaworld"), (Origin.GYMNASIUM_ROBOTICS, "gymnasium_robotics")]
)
def test_a_package_that_is_not_installed_is_named(origin: Origin, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name.startswith(extra):
            raise ModuleNotFoundError(f"No module named '{name}'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UserError, match=rf"pip install 'trailkit\[{extra}\]'"):
        make("x-v3", origin)


def test_nothing_can_be_seen_of_an_environment_without_model_and_render() -> None:
    env = make(cameras=("own",))
    env._source.simulation = lambda: None  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"has no MuJoCo model and its render\(\) gives no picture"):
        env.reset()


def test_hands_are_moved_and_grippers_closed_whatever_their_sign() -> None:
    motion = np.array([1.0, 0.0, -0.5, 1.0])
    fetch, sawyer = make("FetchReach-v4", Origin.GYMNASIUM_ROBOTICS), make("reach-v3", Origin.METAWORLD)
    np.testing.assert_array_equal(fetch.hand_action(motion), np.float32([1.0, 0.0, -0.5, -1.0]))
    np.testing.assert_array_equal(sawyer.hand_action(motion), np.float32(motion))
    with pytest.raises(UserError, match="the actions of Pusher-v5 do not move a hand"):
        make("Pusher-v5", cameras=("own",)).hand_action(motion)


def test_a_users_environment_may_say_what_moves_its_hand() -> None:
    env = make(cameras=(), proprio=ROBOT)
    np.testing.assert_array_equal(env.hand_action(np.array([-0.5, 0.0, 0.0, 0.0])), np.float32([0.5]))
    np.testing.assert_array_equal(env.hand_action(np.array([9.0, 0.0, 0.0, 0.0])), np.float32([-1.0]))
    env._source._env.unwrapped.hand_action = lambda _: np.zeros(3)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"hand_action of arm:Arm-v0 gives shape \(3,\): expected \(1,\)"):
        env.hand_action(np.zeros(4))


def test_a_users_environment_may_say_that_its_hand_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make("arm:TurningArm-v0", cameras=(), proprio=ROBOT)
    assert env.hand_size == 7
    np.testing.assert_array_equal(env.hand_action(np.array([1, 1, 1, 1, 1, -0.5, 1])), np.float32([-0.5]))
    monkeypatch.setattr(arm.TurningArm, "hand_size", 6)
    with pytest.raises(UserError, match=r"hand_size of arm:TurningArm-v0 is 6: give 4, .* or 7"):
        env.hand_size  # noqa: B018


@pytest.mark.parametrize(
    ("task", "origin"),
    [
        ("arm:Arm-v0", Origin.GYMNASIUM),
        ("FetchReach-v4", Origin.GYMNASIUM_ROBOTICS),
        ("reach-v3", Origin.METAWORLD),
        ("reacher/easy", Origin.DM_CONTROL),
    ],
)
def test_hands_do_not_turn_where_nobody_says_so(task: str, origin: Origin) -> None:
    with make(task, origin, success="never") as env:
        assert env.hand_size == 4


def test_a_mistake_in_a_users_environment_is_one_line() -> None:
    class Broken(arm.Arm):
        def __init__(self, **_: Any) -> None:
            self.model = mujoco.MjModel.from_xml_string("<mujoco>\n<worldbdy/></mujoco>")

    gymnasium.register("Broken-v0", entry_point=Broken)
    try:
        with pytest.raises(UserError, match=r"Broken-v0 cannot be made: ValueError: XML Error: .*worldbdy") as error:
            make("Broken-v0")
    finally:
        del gymnasium.registry["Broken-v0"]
    assert "\n" not in str(error.value)
    assert isinstance(error.value.__cause__, ValueError)


def test_a_time_step_of_numpys_is_as_good_as_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm.Arm, "dt", np.float64(0.04), raising=False)
    assert type(make(cameras=(), proprio=ROBOT).control_timestep) is float


def test_an_environment_need_not_know_of_render_modes() -> None:
    class Plain(arm.Arm):
        def __init__(self) -> None:
            super().__init__()

    gymnasium.register("Plain-v0", entry_point=Plain)
    try:
        make("Plain-v0", cameras=(), proprio=ROBOT).reset()
    finally:
        del gymnasium.registry["Plain-v0"]


class Coloured(arm.Arm):
    """Gives its ball another colour in each episode."""

    COLOURS = np.float32([[0.9, 0.1, 0.1, 1.0], [0.1, 0.1, 0.9, 1.0]])

    def reset(self, **words: Any) -> Any:
        begun = super().reset(**words)
        self.model.geom_rgba[2] = self.COLOURS[self.np_random.integers(2)]
        return begun


@pytest.fixture
def coloured() -> Iterator[str]:
    gymnasium.register("Coloured-v0", entry_point=Coloured)
    yield "arm:Coloured-v0"
    del gymnasium.registry["Coloured-v0"]


def reset_to(env: ExternalEnvironment, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    """The colours of the plane, the arm and the ball."""
    env.seed(seed)
    env.reset()
    found = env._source.simulation()
    assert found is not None
    return found[0].geom_rgba.copy()


@pytest.mark.parametrize("words", [{"appearance": ("arm_colour", "table_colour", "light")}, {"distract": ("colours",)}])
def test_colours_that_a_task_gives_at_each_reset_stay_the_tasks(coloured: str, words: dict[str, Any]) -> None:
    usual = make(coloured, cameras=(), proprio=ROBOT)
    assert isinstance(usual, ExternalEnvironment)
    other = make_environment(replace(settings(coloured, cameras=(), proprio=ROBOT), **words), seed=0)
    assert isinstance(other, ExternalEnvironment)
    balls = set()
    for seed in range(6):
        before, now = reset_to(usual, seed), reset_to(other, seed)
        assert np.abs(now[:2, :3] - before[:2, :3]).max() > 0.02
        assert np.abs(now[2, :3] - before[2, :3]).max() <= (0.26 if "distract" in words else 0)
        balls.add(tuple(before[2]))
        np.testing.assert_array_equal(reset_to(other, seed), now)  # nothing adds up
    assert len(balls) == 2


def test_an_end_of_numpys_is_as_good_as_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    step = arm.Arm.step
    monkeypatch.setattr(arm.Arm, "step", lambda self, action: (*step(self, action)[:2], np.True_, np.False_, {}))
    env = make(cameras=(), proprio=ROBOT, success="terminated")
    env.reset()
    assert env.step(np.zeros(1)).last()
    assert env.solved is True


@pytest.mark.parametrize(
    "picture", [np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 4), np.uint8)], ids=["float", "a"]
)
def test_a_picture_that_is_none_is_refused(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[type-arg]
    monkeypatch.setattr(arm.Arm, "render", lambda _: picture)
    env = make(cameras=(), proprio=ROBOT)
    with pytest.raises(UserError, match=r"its render\(\) gives .* \[8, 8, .\]: a picture is uint8 \[H, W, 3\]"):
        env._source.picture()


def test_whole_numbers_are_rounded_to(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    step = arm.Arm.step
    monkeypatch.setattr(arm.Arm, "action_space", spaces.Box(0, 3, (1,), np.int64))
    monkeypatch.setattr(arm.Arm, "step", lambda self, action: [given.append(action), step(self, action)][1])
    env = make(cameras=(), proprio=ROBOT)
    env.reset()
    for action in (-1.0, -0.5, 0.2, 0.7):
        env.step(np.array([action]))
    assert np.concatenate(given).tolist() == [0, 1, 2, 3]


def test_an_action_without_width_moves_no_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm.Arm, "action_space", spaces.Box(np.float32([-2, 0]), np.float32([2, 0])))
    monkeypatch.setattr(arm.Arm, "hand_action", lambda *_: [1.0, 0.0])
    moved = make(cameras=(), proprio=ROBOT).hand_action(np.zeros(4))
    np.testing.assert_array_equal(moved, np.float32([0.5, -1.0]))


@pytest.mark.parametrize("part", [{"deep": np.zeros(2)}, (np.zeros(2), np.zeros(3))], ids=["dict", "tuple"])
def test_a_part_of_the_observation_that_is_no_array_is_named(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm.Arm, "_observe", lambda _: {"robot": part})
    with pytest.raises(UserError, match=r"env.proprio.a: robot of the observation is no array of numbers"):
        make(cameras=(), proprio={"a": "robot"})


def test_a_model_without_its_state_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make(cameras=(), proprio=ROBOT)
    del env._source._env.unwrapped.data  # type: ignore[attr-defined]
    assert env._source.simulation() is None
