"""When a placement is solved: on states planted by hand, which then settle."""

from typing import Any

import numpy as np
import pytest
from environments import Make

from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.workspace import WORKSPACE

PLACEMENTS = ["put_in_box", "stack", "stack_banana", "insertion"]
_UP = (1.0, 0.0, 0.0, 0.0)
_LYING = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)  # turned about y
_IDLE = np.zeros(4)


def begun(make: Make, task: str) -> TaskEnvironment:
    env = make(task, seed=2)
    env.reset()
    return env


def plant(env: TaskEnvironment, offset: Any, quaternion: Any = _UP) -> None:
    """Puts the thing to move somewhere, seen from where it belongs."""
    thing = env.task._thing
    thing.set_pose(env.physics, position=env.task.goal(env.physics) + offset, quaternion=quaternion)
    thing.set_velocity(env.physics, velocity=np.zeros(3), angular_velocity=np.zeros(3))


def settle(env: TaskEnvironment, steps: int = 15) -> float:
    rewards = [env.step(_IDLE).reward for _ in range(steps)]
    assert env.solved == bool(rewards[-1])
    return float(rewards[-1])


@pytest.mark.parametrize("task", PLACEMENTS)
def test_what_lies_where_it_belongs_is_rewarded_at_every_step(make: Make, task: str) -> None:
    env = begun(make, task)
    assert settle(env) == 0.0
    plant(env, (0.0, 0.0, 0.002))
    assert settle(env) == 1.0
    assert [env.step(_IDLE).reward for _ in range(20)] == [1.0] * 20


@pytest.mark.parametrize("task", PLACEMENTS)
def test_a_little_off_will_do(make: Make, task: str) -> None:
    env = begun(make, task)
    aside = {"insertion": 0.003}.get(task, 0.007)
    plant(env, (aside, -aside, 0.002))
    assert settle(env) == 1.0


@pytest.mark.parametrize("task", PLACEMENTS)
def test_what_is_still_in_the_air_does_not_count(make: Make, task: str) -> None:
    env = begun(make, task)
    plant(env, (0.0, 0.0, 0.04))
    assert env.step(_IDLE).reward == 0.0


@pytest.mark.parametrize("task", PLACEMENTS)
def test_what_moves_does_not_count_before_it_lies_still(make: Make, task: str) -> None:
    env = begun(make, task)
    plant(env, (0.0, 0.0, 0.0))
    settle(env)
    assert env.solved
    for velocity in ((0.1, 0.0, 0.0), (0.0, 0.0, 0.0)):
        env.task._thing.set_velocity(env.physics, velocity=velocity, angular_velocity=np.zeros(3))
        env.physics.forward()
        assert env.solved == (velocity[0] == 0.0)


@pytest.mark.parametrize("which", ["thing", "place"])
@pytest.mark.parametrize("task", PLACEMENTS)
def test_what_the_hand_touches_is_not_let_go_of(make: Make, task: str, which: str) -> None:
    env = begun(make, task)
    plant(env, (0.0, 0.0, 0.0))
    settle(env)
    assert env.solved
    prop = env.task._thing if which == "thing" else env.task._place
    above = np.array([0.0, 0.0, 0.03 if which == "thing" else 0.06])
    env.task.robot.place(np.asarray(prop.get_pose(env.physics)[0]) + above, grip=1.0)
    while not _touches(env, prop):  # down until it does
        position = env.task.robot.tool_position - (0.0, 0.0, 0.002)
        assert position[2] > 0.0
        env.task.robot.place(position, grip=1.0)
        env.physics.forward()
    assert not env.solved


@pytest.mark.parametrize(
    ("task", "offset", "quaternion"),
    [
        ("put_in_box", (0.07, 0.0, -0.005), _UP),  # beside the box
        ("put_in_box", (0.066, 0.0, 0.04), _UP),  # over its edge
        ("stack", (0.055, 0.0, -0.05), _UP),  # beside the other block
        ("stack", (0.04, 0.0, -0.015), (0.92, 0.0, 0.39, 0.0)),  # leaning against it
        ("stack_banana", (0.0, 0.08, -0.05), _UP),
        ("insertion", (0.08, 0.0, -0.012), _UP),  # standing beside the socket
        ("insertion", (0.0, 0.0, 0.011), _LYING),  # lying across the hole
    ],
)
def test_what_lies_elsewhere_does_not_count(make: Make, task: str, offset: Any, quaternion: Any) -> None:
    env = begun(make, task)
    plant(env, offset, quaternion)
    assert settle(env, steps=30) == 0.0


def test_the_blue_block_on_the_red_one_is_no_stack(make: Make) -> None:
    env = begun(make, "stack")
    red = env.task.target(env.physics)
    env.task._place.set_pose(env.physics, position=red + np.array([0.0, 0.0, 0.051]), quaternion=_UP)
    assert settle(env) == 0.0


@pytest.mark.parametrize("task", PLACEMENTS)
def test_everything_lies_apart_and_still_at_the_start(make: Make, task: str) -> None:
    env = make(task)
    for _ in range(40):
        env.reset()
        poses = np.array([prop.get_pose(env.physics)[0] for prop in env.task._props])
        assert (abs(poses[:, :2]) <= WORKSPACE.upper[:2]).all()
        pairs = env.physics.model.ptr.body_rootid[env.physics.model.geom_bodyid[env.physics.data.ptr.contact.geom]]
        assert {int(body) for pair in pairs for body in pair if 0 not in pair} == set()
        env.step(_IDLE)
        moved = np.array([prop.get_pose(env.physics)[0] for prop in env.task._props]) - poses
        assert np.linalg.norm(moved, axis=1).max() < 2e-3


def _touches(env: TaskEnvironment, prop: Any) -> bool:
    model = env.physics.model.ptr
    body = env.physics.model.name2id(f"{prop.mjcf_model.model}/", "body")
    pairs = model.body_rootid[model.geom_bodyid[env.physics.data.ptr.contact.geom]]
    return any(set(pair) == {body, env.task.robot.root} for pair in pairs)
