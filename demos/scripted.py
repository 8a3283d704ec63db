"""Scripted experts: they command what a person at a joystick commands, Cartesian velocities and the gripper.

They know where things are (a person sees it), move at a bounded speed and stop to grasp. Their commands are
disturbed by noise, so that no two demonstrations are alike and mistakes are seen being corrected.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import action_of
from trailkit.envs.actions import MAX_TOOL_SPEED
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.settings import CONTROL_TIMESTEP
from trailkit.envs.tasks.lift import Lift
from trailkit.envs.tasks.reach import Reach

_CLOSE = 1.0  # full speed
_OPEN = 0.3  # of the fingers' way: wide enough for a block; fully open, the thumb lands on a block behind it
_HOVER_HEIGHT = 0.11  # m: the fingers clear a block
_GRASP_HEIGHT = 0.022  # m
_CARRY_HEIGHT = 0.15  # m
_ALIGNED = 0.008  # m: near enough, in the plane, to go down
_ARRIVED = 0.006  # m: near enough to grasp
_CLOSING_STEPS = 20  # control steps that the fingers need for a firm grip
_APPROACH = 0.6  # share of the remaining way that one step covers, below full speed
_GRIP_GAIN = 5.0  # of full speed, for each whole way that the fingers are off
_NOISE_MEMORY = 0.7  # of the disturbance, from one step to the next: a hand trembles slowly

Command = NDArray[np.float64]


class ScriptedExpert:
    """Plays one episode after another of a task."""

    def __init__(self, env: Environment, noise: float = 0.2, seed: int = 0) -> None:
        """Prepares to play.

        Args:
            env: Whose state the expert reads.
            noise: Standard deviation of the disturbance of each velocity command, in units of full speed.
            seed: Of the disturbance, together with the environment's.

        Raises:
            UserError: If there is no expert for the task, or the noise is negative.
        """
        if noise < 0:
            raise UserError(f"noise is {noise}: expected 0 or more, in units of full speed")
        scripts = {Reach: _reach, Lift: _lift}
        if type(env.task) not in scripts:
            raise unknown("scripted expert for task", env.settings.task, (task.__name__ for task in scripts))
        self._env = env
        self._script = scripts[type(env.task)]
        self._noise = noise
        self._seed = seed

    def reset(self) -> None:
        """Begins an episode; the environment has been reset. Its disturbance follows from the environment's seed."""
        self._random = np.random.default_rng([self._seed, self._env.random_state.randint(2**31)])
        self._commands: Iterator[Command] = self._script(self._env)
        self._disturbance = np.zeros(3)

    def act(self) -> NDArray[np.float32]:
        """The next action, in the environment's own action space, float32 [A]."""
        command = next(self._commands)
        fresh = self._random.normal(scale=self._noise, size=3)
        self._disturbance = _NOISE_MEMORY * self._disturbance + np.sqrt(1 - _NOISE_MEMORY**2) * fresh
        command[:3] += self._disturbance
        return action_of(self._env, command)


def _reach(env: Environment) -> Iterator[Command]:
    """Goes to the ball and stays."""
    while True:
        yield _towards(env, env.task.target(env.physics), grip=0.0)


def _lift(env: Environment) -> Iterator[Command]:
    """Goes above the block, down, grasps, and holds it up; begins again when it has missed."""
    while True:
        while np.linalg.norm((_target(env) - _tool(env))[:2]) > _ALIGNED:
            yield _towards(env, _above(_target(env), _HOVER_HEIGHT), _opening(env))
        while np.linalg.norm(offset := _above(_target(env), _GRASP_HEIGHT) - _tool(env)) > _ARRIVED:
            if np.linalg.norm(offset[:2]) > 3 * _ALIGNED:
                break  # pushed aside
            yield _towards(env, _above(_target(env), _GRASP_HEIGHT), _opening(env))
        else:
            grasp = _tool(env).copy()
            for _ in range(_CLOSING_STEPS):
                yield _towards(env, grasp, _CLOSE)
            while np.linalg.norm(_target(env) - _tool(env)) < 0.05:
                yield _towards(env, _above(grasp, _CARRY_HEIGHT), _CLOSE)
        for _ in range(8):  # let go, up and away
            yield _towards(env, _above(_tool(env), _HOVER_HEIGHT), _opening(env))


def _target(env: Environment) -> Any:
    return env.task.target(env.physics)


def _tool(env: Environment) -> NDArray[np.float64]:
    position: NDArray[np.float64] = env.task.robot.tool_position
    return position


def _above(position: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    return np.array([position[0], position[1], height])


def _opening(env: Environment) -> float:
    """The gripper's velocity that brings the fingers to `_OPEN`, as one would by eye."""
    robot = env.task.robot
    low, high = robot.finger_range.T
    closed = np.mean((robot.data.qpos[robot.finger_qpos] - low) / (high - low))
    return float(np.clip(_GRIP_GAIN * (_OPEN - closed), -1.0, 1.0))


def _towards(env: Environment, goal: NDArray[np.float64], grip: float) -> Command:
    """The command that closes in on a goal, [x, y, z, grip]."""
    velocity = _APPROACH * (goal - _tool(env)) / CONTROL_TIMESTEP / MAX_TOOL_SPEED
    return np.append(np.clip(velocity, -1.0, 1.0), grip)
