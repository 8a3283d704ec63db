import numpy as np
import pytest
from environments import Make

from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin
from trailkit.envs.tasks import TASKS
from trailkit.envs.workspace import WORKSPACE

COUNTS = {
    "reach": 1,
    "lift": 1,
    "lift_distracted": 3,
    "put_in_box": 2,
    "stack": 2,
    "stack_banana": 2,
    "insertion": 4,
}
TURNED = np.array([0.5, 0.5, 0.5, 0.5])  # x to y, y to z, z to x


@pytest.mark.parametrize("task", TASKS)
def test_of_each_task_the_thing_to_move_or_reach_comes_first(make: Make, task: str) -> None:
    env = make(task)
    for _ in range(3):
        env.reset()
        things = env.things()
        assert (things.shape, things.dtype) == ((13 * COUNTS[task],), np.float32)
        target = WORKSPACE.normalise(env.task.target(env.physics))
        np.testing.assert_allclose(things[:3], target, atol=1e-6)


def test_the_place_follows_the_thing_that_belongs_there(make: Make) -> None:
    env = make("put_in_box")
    env.reset()
    position, orientation = env.task._place.get_pose(env.physics)
    np.testing.assert_allclose(env.things()[13:20], [*WORKSPACE.normalise(position), *orientation], atol=1e-6)


def test_orientation_and_velocities_are_the_worlds(make: Make) -> None:
    env = make("lift")
    env.reset()
    block = env.task._blocks[0]
    block.set_pose(env.physics, position=(0.0, 0.0, 0.135), quaternion=TURNED)
    # MuJoCo's free joint keeps the angular velocity along the body's own axes.
    block.set_velocity(env.physics, velocity=(0.1, 0.2, 0.3), angular_velocity=(1.0, 2.0, 3.0))
    env.physics.forward()
    expected = [0.0, 0.0, 0.0, *TURNED, 0.1, 0.2, 0.3, 3.0, 1.0, 2.0]
    np.testing.assert_allclose(env.things(), expected, atol=1e-6)


def test_the_state_is_that_of_the_step_just_taken(make: Make) -> None:
    env = make("lift")
    env.reset()
    env.task._blocks[0].set_pose(env.physics, position=(0.0, 0.0, 0.2))
    env.physics.forward()
    for _ in range(2):
        before = env.things()
        env.step(np.zeros(4))
        assert env.things()[2] < before[2] and env.things()[9] < before[9]  # it falls, faster and faster
        told = env.things()
        env.physics.forward()
        np.testing.assert_allclose(told, env.things(), atol=1e-5)


@pytest.mark.render
def test_environments_of_others_tell_nothing_of_their_things() -> None:
    seen = ObservationSettings(("own",), 32, 32, proprioception=False)
    settings = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM))
    with make_environment(settings) as env, pytest.raises(UserError, match="arm:Arm-v0 does not tell where its things"):
        env.things()
