import threading
from contextlib import nullcontext

import arm
import numpy as np
import pytest
from demonstrations import assert_same
from teleoperation import GONE, REST, SETTINGS, SOURCE, Script, move, play, press

from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Feel, Teleoperator
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin
from trailkit.envs.tasks.environment import TaskEnvironment


@pytest.fixture(scope="module")
def env():
    env = TaskEnvironment(SETTINGS)
    yield env
    env.close()


@pytest.fixture
def store(tmp_path):
    return DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)


class Expert:
    """Commands what the scripted expert would, and keeps each episode when its time is up."""

    def __init__(self, env):
        self._env, self._expert, self._attempt, self._phase = env, ScriptedExpert(env, noise=0.0), 0, ""

    def read(self):
        if self._phase == "judging":
            return press("keep")
        if not self._attempt:
            return REST
        return move(*self._expert.act())

    def show(self, status, pictures):
        if status.attempt != self._attempt:
            self._attempt = status.attempt
            self._expert.reset()
        self._phase = status.phase

    def close(self):
        pass


def test_the_script_is_a_teleoperator():
    assert isinstance(Script(), Teleoperator)


def test_an_episode_begins_with_the_first_move_and_ends_when_it_is_kept(env, store):
    device = Script(REST, REST, move(right=1), REST, move(up=0.5), press("keep"))
    (kept, stopped) = play(env, device, store)
    assert kept.kept and kept.length == 3 and not stopped.kept and stopped.length == 0
    episode = store.read(0)
    np.testing.assert_array_equal(episode.action, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0.5, 0]])
    assert episode.metadata["end"] == "truncation" and episode.discount.tolist() == [1, 1, 1]
    assert device.phases[:6] == ["ready", "ready", "playing", "playing", "playing", "playing"]
    assert device.phases[-1] == "finished"


def test_an_expert_at_the_device_solves_the_task_and_the_store_fills(env, store):
    attempts = play(env, Expert(env), store, episodes=2)
    assert [(each.kept, each.success, each.length) for each in attempts] == [(True, True, 30)] * 2
    assert len(DemoStore.open(store.path)) == 2
    assert [store.read(index).metadata["index"] for index in range(2)] == [0, 1]


def test_the_axes_drive_the_hand_where_they_say(env, store):
    for axis, name in enumerate(("right", "away", "up")):
        play(env, Script(*[move(**{name: 1.0})] * 5, press("keep")), store, episodes=axis + 1)
        tool = store.read(axis).observation["proprio"][:, :3]
        moved = tool[-1] - tool[0]
        assert np.argmax(np.abs(moved)) == axis and moved[axis] > 0


def test_a_discarded_episode_is_followed_by_another_start_and_a_repeated_one_by_the_same(env, store):
    device = Script(
        *(move(1), press("keep")),
        *(move(1), press("rerecord"), move(1), press("keep")),
        *(move(1), press("discard"), move(1), press("keep")),
    )
    attempts = play(env, device, store)
    assert [each.kept for each in attempts] == [True, False, True, False, True, False]
    assert [store.read(index).metadata["index"] for index in range(3)] == [0, 1, 3]
    starts = [store.read(index).observation["proprio"][0].tolist() for index in range(3)]
    assert len(np.unique(starts, axis=0)) == 3
    assert [status.attempt for status, _ in device.shown][-1] == 6


def test_the_same_commands_give_the_same_episode(env, tmp_path):
    commands = [move(*each) for each in np.random.default_rng(0).uniform(-1, 1, (20, 4))]
    episodes = []
    for name in ("one", "other"):
        store = DemoStore.create(tmp_path / name, SETTINGS, SOURCE)
        play(env, Script(*commands, press("keep")), store)
        episodes.append(store.read(0))
    assert_same(*episodes)


def test_while_the_person_is_gone_the_arm_holds_still_and_nothing_is_recorded(env, store):
    device = Script(move(1), GONE, GONE, REST, REST, move(1), press("keep"))
    kept, _ = play(env, device, store)
    assert kept.length == 2
    assert device.phases[:6] == ["playing", "paused", "paused", "paused", "paused", "playing"]
    states = store.read(0).state
    assert len(states) == 3 and len(np.unique(states, axis=0)) == 3


def test_a_gripper_that_was_closed_before_does_not_take_up_a_paused_episode(env, store):
    closing = move(grip=1.0)
    device = Script(move(1), closing, GONE, closing, REST, closing, move(grip=-1.0), press("keep"))
    kept, _ = play(env, device, store)
    assert device.phases[:7] == ["playing", "playing", "paused", "paused", "paused", "paused", "playing"]
    assert kept.length == 3 and store.read(0).action[:, 3].tolist() == [0, 1, -1]


def test_nobody_there_at_the_beginning_is_no_pause(env, store):
    device = Script(GONE, REST)
    play(env, device, store)
    assert device.phases[:2] == ["ready", "ready"]


def test_when_the_time_is_up_the_arm_waits_for_the_verdict(env, store):
    device = Script(*[move(0.1)] * 30, move(1), move(1), press("discard"))
    dropped, _ = play(env, device, store)
    assert not dropped.kept and dropped.length == 30
    assert device.phases[29:32] == ["judging"] * 3
    times = [status.time_left for status, _ in device.shown]
    assert times[0] == pytest.approx(1.45) and times[31] == pytest.approx(0)
    with pytest.raises(UserError, match="no demonstrations yet"):
        DemoStore.open(store.path)


def test_an_episode_without_a_step_cannot_be_kept(env, store):
    attempts = play(env, Script(press("keep"), move(1), press("keep")), store)
    assert [(each.kept, each.length) for each in attempts] == [(True, 1), (False, 0)]


class StopsWhenTimeIsUp(Expert):
    def read(self):
        return press("stop") if self._phase == "judging" else super().read()


def test_stopping_keeps_a_solved_episode_that_awaits_its_verdict_and_no_other(env, store):
    (attempt,) = play(env, StopsWhenTimeIsUp(env), store)
    assert attempt.kept and attempt.success
    (attempt,) = play(env, Script(*[move(0.01)] * 30, press("stop")), store)
    assert not attempt.kept and len(store) == 1


def test_an_episode_that_cannot_be_written_can_be_kept_again_once_there_is_space(env, store, monkeypatch):
    full = [True]

    def append(episode, append=store.append):
        if full[0]:
            raise UserError("cannot write demos: No space left on device")
        return append(episode)

    monkeypatch.setattr(store, "append", append)

    class Freed(Script):
        def show(self, status, pictures):
            super().show(status, pictures)
            full[0] = len(self.shown) < 6

    device = Freed(move(1), move(1), press("keep"), move(1), press("keep"), press("keep"))
    attempts = play(env, device, store)
    assert [(each.kept, each.length) for each in attempts] == [(True, 2), (False, 0)]
    assert device.phases[:6] == ["playing"] * 3 + ["judging"] * 3
    troubles = [status.trouble for status, _ in device.shown]
    assert troubles[:6] == [""] * 3 + ["cannot write demos: No space left on device"] * 3
    assert not any(troubles[6:])
    assert store.read(0).length == 2


@pytest.mark.parametrize(("button", "error"), [("discard", None), ("stop", "No space left")])
def test_an_episode_that_cannot_be_written_can_be_given_up(env, store, monkeypatch, button, error):
    def append(_):
        raise UserError("cannot write demos: No space left on device")

    monkeypatch.setattr(store, "append", append)
    device = Script(move(1), press("keep"), press(button))
    with pytest.raises(UserError, match=error) if error else nullcontext():
        assert [each.kept for each in play(env, device, store)] == [False, False]


def test_an_interruption_stops_as_the_button_does(env, store):
    interrupted = threading.Event()

    class Interrupted(Expert):
        def read(self):
            if self._phase == "judging":
                interrupted.set()
                return REST
            return super().read()

    (attempt,) = play(env, Interrupted(env), store, interrupted=interrupted)
    assert attempt.kept and attempt.success and store.count() == 1


def test_an_episode_that_is_removed_meanwhile_is_recorded_again(env, store):
    class Remover(Script):
        def show(self, status, pictures):
            super().show(status, pictures)
            if status.kept == 1 and status.attempt == 2 and (store.path / "episode_000000.hdf5").exists():
                DemoStore.open(store.path).remove("episode_000000.hdf5")

    script = [move(1), press("keep"), REST, move(1), press("keep"), move(1), press("keep")]
    attempts = play(env, Remover(*script), store, episodes=2)
    assert sum(each.kept for each in attempts) == 3 and len(DemoStore.open(store.path)) == 2
    assert (store.path / "removed" / "episode_000000.hdf5").exists()


def test_pictures_are_those_of_the_moment(env, store):
    drawn = iter(range(100))
    device = Script(REST, move(1))
    play(env, device, store, view=lambda: {"front": next(drawn)})
    assert [pictures["front"] for _, pictures in device.shown[:3]] == [0, 1, 2]


def test_a_person_can_command_joints(tmp_path):
    settings = EnvSettings("reach", ActionSpace.JOINT, ObservationSettings(cameras=()), 30)
    env = TaskEnvironment(settings)
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    play(env, Script(*[move(up=1)] * 5, press("keep")), store)
    episode = store.read(0)
    assert episode.action.shape == (5, 9)
    assert episode.observation["proprio"][-1, 2] > episode.observation["proprio"][0, 2]
    env.close()


TURNING = EnvSettings(
    "arm:TurningArm-v0",
    observation=ObservationSettings(cameras=()),
    episode_steps=30,
    external=External(Origin.GYMNASIUM, proprio={"joint": "[0:2]"}),
)


@pytest.fixture
def turning():
    with make_environment(TURNING, seed=0) as env:
        yield env


def test_a_turn_begins_an_episode_and_turns_the_hand(turning, tmp_path):
    store = DemoStore.create(tmp_path / "demos", TURNING, SOURCE)
    device = Script(REST, *[move(turn=(0, 0, 0.5))] * 5, press("keep"))
    play(turning, device, store)
    episode = store.read(0)
    assert device.phases[:2] == ["ready", "playing"]
    assert episode.action.tolist() == [[0.5]] * 5
    assert episode.observation["proprio"][-1, 0] > episode.observation["proprio"][0, 0]


def test_a_hand_that_turns_is_told_its_velocities_its_turn_and_the_gripper(turning, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(arm.TurningArm, "hand_action", lambda _, motion: [told.append(motion.tolist()), [0.0]][1])
    store = DemoStore.create(tmp_path / "demos", TURNING, SOURCE)
    play(turning, Script(move(0.5, -1, 0.25, grip=1, turn=(-0.5, 1, 0.75)), press("discard")), store)
    play(turning, Script(move(1, turn=(0, -1, 0))), store, feel=Feel(0.5, 0.25))
    assert told == [[0.5, -1, 0.25, -0.5, 1, 0.75, 1], [0.5, 0, 0, 0, -0.25, 0, 0]]


def test_a_hand_that_does_not_turn_is_left_alone_by_turns(env, store):
    device = Script(move(turn=(1, 1, 1)), move(1, turn=(1, 1, 1)), press("keep"))
    play(env, device, store)
    assert device.phases[:2] == ["ready", "playing"]
    assert store.read(0).action.tolist() == [[1, 0, 0, 0]]


def test_the_dead_zone_is_cut_out_and_sensitivity_scales():
    feel = Feel(pos_sensitivity=0.5, dead_zone=0.2)
    velocity = feel.velocity(np.array([0.1, 0.6, -1.0], np.float32))
    np.testing.assert_allclose(velocity, [0, 0.25, -0.5], atol=1e-6)
    fast = Feel(2.0, dead_zone=0.0)
    np.testing.assert_allclose(fast.velocity(np.array([0.8, 0, -0.2], np.float32)), [1, 0, -0.4], atol=1e-6)


def test_turns_have_the_same_dead_zone_and_a_sensitivity_of_their_own():
    turn = np.array([0.1, 0.6, -1.0], np.float32)
    feel = Feel(pos_sensitivity=2.0, rot_sensitivity=0.5, dead_zone=0.2)
    np.testing.assert_allclose(feel.angular_velocity(turn), [0, 0.25, -0.5], atol=1e-6)
    np.testing.assert_allclose(Feel(rot_sensitivity=4.0, dead_zone=0.2).angular_velocity(turn), [0, 1, -1], atol=1e-6)


def test_a_stick_at_rest_begins_nothing(env, store):
    device = Script(move(0.05, -0.09, 0.02), move(0.05))
    play(env, device, store, feel=Feel(dead_zone=0.1))
    assert device.phases[:2] == ["ready", "ready"]
