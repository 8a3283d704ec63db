"""Scripted experts, which command what a person with a joystick commands: Cartesian velocities and the gripper.

They know where things are (a person sees it), move at a bounded speed and stop to grasp. Noise disturbs their commands,
so that no two demonstrations are equal and they show corrections of mistakes. People vary in more ways than that:
each episode has its own speed, steadiness and curvature of the path, and pauses.
"""

import warnings
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.actions import MAX_TOOL_SPEED
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.external.environment import ExternalEnvironment
from trailkit.envs.external.metaworld_source import expert
from trailkit.envs.settings import CONTROL_TIMESTEP, Origin
from trailkit.envs.tasks.environment import TaskEnvironment

_CLOSE = 1.0  # full speed
_OPEN = 0.3  # as a fraction of the fingers' range: wide enough for a block; fully open, the thumb hits one behind it
_HOVER_HEIGHT = 0.11  # m: the fingers do not touch a block
_GRASP_HEIGHT = 0.022  # m
_CARRY_HEIGHT = 0.15  # m
_ALIGNED = 0.008  # m, horizontally: close enough to go down
_ARRIVED = 0.006  # m: close enough to grasp
_CLOSING_STEPS = 20  # control steps that a firm grip takes
_LOOKING_STEPS = 10  # control steps until a released thing has settled
_CLEARANCE = 0.088  # m, of the tool above a thing's centre: the fingers do not touch the thing
_LET_GO = -0.4  # of full speed: once the fingers need not open faster, they hold nothing
_HELD = 0.05  # m, maximum distance of the tool from the centre of what it holds
_HIGH = 0.04  # m, below the carrying height: high enough to move sideways
_NEAR = 0.02  # m, horizontally: a thing this close to its goal is not raised to the full height again
_BACK = 0.006  # m: but this much, so that it does not get stuck
_APPROACH = 0.6  # fraction of the remaining distance covered by one step, below full speed
_GRIP_GAIN = 5.0  # of full speed, per full range that the fingers are off
_NOISE_MEMORY = 0.7  # correlation of the disturbance from one step to the next: a hand trembles slowly
# The differences between episodes for variety 1; in between, they scale in proportion.
_SLOWEST = 0.7  # of full speed
_STEADIEST = 0.4  # of the noise
_BEND = 0.6  # rad, between the hand's direction and the straight one, while it is far away
_PAUSES = 0.01  # probability of starting one in each step
_PAUSE_STEPS = 3, 12

Command = NDArray[np.float64]


class Manner(NamedTuple):
    """How a thing is grasped and released."""

    grasp: float  # m, of the tool above the thing's centre
    release: float  # m, of the thing above its goal
    aligned: float  # m, horizontally: close enough to be put down


class ScriptedExpert:
    """Plays episodes of a task."""

    def __init__(self, env: Environment, noise: float = 0.2, seed: int = 0, variety: float = 0.0) -> None:
        """Prepares to play.

        Args:
            env: The environment whose state the expert reads.
            noise: Standard deviation of the disturbance of each velocity command, in units of full speed.
            seed: Seeds the disturbance and the variety, together with the environment's seed.
            variety: In [0, 1]; with 0 all episodes move straight at full speed, with 1 they vary as people's do.

        Raises:
            UserError: If there is no expert for the task, the noise is negative, or the variety is out of range.
        """
        if noise < 0:
            raise UserError(f"noise is {noise}: expected 0 or more, in units of full speed")
        if not 0 <= variety <= 1:
            raise UserError(f"variety is {variety}: expected a number in [0, 1]")
        self._env = env
        self._script = _script_of(env)
        self._noise = noise
        self._variety = variety
        self._seed = seed

    def reset(self) -> None:
        """Starts an episode after the environment was reset. All its randomness is seeded by the environment."""
        seed = np.random.SeedSequence([self._seed, self._env.random_state.randint(2**31)])
        self._random, self._chance = np.random.default_rng(seed), np.random.default_rng(seed.spawn(1)[0])
        self._commands: Iterator[Command] = self._script(self._env)
        self._disturbance = np.zeros(3)
        self._speed = 1 - self._variety * self._chance.uniform(0, 1 - _SLOWEST)
        self._trembling = self._noise * (1 - self._variety * self._chance.uniform(0, 1 - _STEADIEST))
        self._bend = self._variety * self._chance.uniform(-_BEND, _BEND)
        self._pause, self._grip = 0, 0.0

    def act(self) -> NDArray[np.float32]:
        """The next action, in the environment's own action space, float32 [A]."""
        return self._env.hand_action(self._wait() if self._pauses() else self._go())

    def _pauses(self) -> bool:
        """Whether the hand pauses in this step."""
        if self._pause > 0:
            self._pause -= 1
        elif self._chance.random() < self._variety * _PAUSES:
            self._pause = int(self._chance.integers(*_PAUSE_STEPS, endpoint=True))
        return self._pause > 0

    def _wait(self) -> Command:
        """No movement; a grip is maintained."""
        holds = self._grip == _CLOSE or self._env.settings.external is not None  # their grippers are commanded by force
        return np.array([0.0, 0.0, 0.0, self._grip if holds else 0.0])

    def _go(self) -> Command:
        """The script's next command, disturbed, at the episode's speed, on a curved path that ends straight."""
        command = next(self._commands)
        self._grip = command[3]
        angle = self._bend * min(1.0, float(np.linalg.norm(command[:2])))
        x, y = command[:2]
        command[:2] = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        fresh = self._random.normal(scale=self._trembling, size=3)
        self._disturbance = _NOISE_MEMORY * self._disturbance + np.sqrt(1 - _NOISE_MEMORY**2) * fresh
        command[:3] = self._speed * command[:3] + self._disturbance
        return command


def _script_of(env: Environment) -> Callable[[Any], Iterator[Command]]:
    external, task = env.settings.external, env.settings.task
    if external is not None:
        if external.origin is not Origin.METAWORLD:
            raise UserError(
                f"there is no scripted expert for {task}: give one by expert=MODULE:NAME, or record by hand"
            )
        return partial(_metaworld, expert(task))
    if task not in _SCRIPTS:
        raise unknown("scripted expert for task", task, _SCRIPTS)
    return _SCRIPTS[task]


def _metaworld(policy: Any, env: ExternalEnvironment) -> Iterator[Command]:
    """Follows Meta-World's own policy for the task."""
    while True:
        with warnings.catch_warnings():  # left before the yield, which would otherwise silence the caller's warnings
            warnings.simplefilter("ignore")  # the policy warns whenever it commands more than full speed
            action = policy.get_action(env.told["observation"])
        yield np.clip(action, -1.0, 1.0).astype(np.float64)


def _reach(env: TaskEnvironment) -> Iterator[Command]:
    """Moves to the ball and stays there."""
    while True:
        yield _towards(env, env.task.target(env.physics), grip=0.0)


def _lift(env: TaskEnvironment) -> Iterator[Command]:
    """Grasps the block and holds it up; starts over after a miss."""
    while True:
        grasp = yield from _grasp(env, _GRASP_HEIGHT, _HOVER_HEIGHT)
        while grasp is not None and _holds(env):
            yield _towards(env, _above(grasp, _CARRY_HEIGHT), _CLOSE)
        yield from _retreat(env, _HOVER_HEIGHT)


def _place(env: TaskEnvironment, manner: Manner) -> Iterator[Command]:
    """Grasps the thing, carries it to its place, lets go and checks; starts over if the task is not solved."""
    while True:
        height = _target(env)[2]
        grasp = yield from _grasp(env, height + manner.grasp, height + _CLEARANCE)
        if grasp is not None and (yield from _carry(env, manner)):
            spot = _tool(env).copy()
            while _opening(env) < _LET_GO:
                yield _towards(env, spot, _opening(env))
        yield from _retreat(env, _CARRY_HEIGHT)
        rest = _above(_tool(env), _CARRY_HEIGHT)
        for _ in range(_LOOKING_STEPS):
            yield _towards(env, rest, _opening(env))
        while env.solved:
            yield _towards(env, rest, _opening(env))


def _grasp(env: TaskEnvironment, height: float, hover: float) -> Generator[Command, None, Command | None]:
    """Moves above the thing, down, and closes the fingers; returns where, or None if it pushed the thing aside."""
    while np.linalg.norm((_target(env) - _tool(env))[:2]) > _ALIGNED:
        yield _towards(env, _above(_target(env), hover), _opening(env))
    while np.linalg.norm(offset := _above(_target(env), height) - _tool(env)) > _ARRIVED:
        if np.linalg.norm(offset[:2]) > 3 * _ALIGNED:
            return None
        yield _towards(env, _above(_target(env), height), _opening(env))
    grasp = _tool(env).copy()
    for _ in range(_CLOSING_STEPS):
        yield _towards(env, grasp, _CLOSE)
    return grasp


def _carry(env: TaskEnvironment, manner: Manner) -> Generator[Command, None, bool]:
    """Raises what is held and moves it above its place and down; True once it is there, False if it was lost."""
    while _holds(env):
        way = env.task.goal(env.physics) - _target(env)
        way[2] += manner.release
        rise = _CARRY_HEIGHT - _tool(env)[2]
        off = np.linalg.norm(way[:2])
        if off > _NEAR:  # first up, then across
            way = np.array([*(way[:2] if rise < _HIGH else (0.0, 0.0)), rise])
        elif off > manner.aligned:  # slightly up, and sideways
            way[2] = min(rise, _BACK)
        elif way[2] > -_ARRIVED:
            return True
        yield _towards(env, _tool(env) + way, _CLOSE)
    return False


def _retreat(env: TaskEnvironment, height: float) -> Iterator[Command]:
    """Opens the fingers and moves up."""
    for _ in range(8):
        yield _towards(env, _above(_tool(env), height), _opening(env))


def _holds(env: TaskEnvironment) -> bool:
    return bool(np.linalg.norm(_target(env) - _tool(env)) < _HELD)


def _target(env: TaskEnvironment) -> Any:
    return env.task.target(env.physics)


def _tool(env: TaskEnvironment) -> NDArray[np.float64]:
    position: NDArray[np.float64] = env.task.robot.tool_position
    return position


def _above(position: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    return np.array([position[0], position[1], height])


def _opening(env: TaskEnvironment) -> float:
    """The gripper velocity that brings the fingers to `_OPEN`."""
    robot = env.task.robot
    low, high = robot.finger_range.T
    closed = np.mean((robot.data.qpos[robot.finger_qpos] - low) / (high - low))
    return float(np.clip(_GRIP_GAIN * (_OPEN - closed), -1.0, 1.0))


def _towards(env: TaskEnvironment, goal: NDArray[np.float64], grip: float) -> Command:
    """The command that approaches a goal, [x, y, z, grip]."""
    velocity = _APPROACH * (goal - _tool(env)) / CONTROL_TIMESTEP / MAX_TOOL_SPEED
    return np.append(np.clip(velocity, -1.0, 1.0), grip)


_SCRIPTS: dict[str, Callable[[TaskEnvironment], Iterator[Command]]] = {
    "reach": _reach,
    "lift": _lift,
    "lift_distracted": _lift,
    "put_in_box": partial(_place, manner=Manner(grasp=-0.003, release=0.025, aligned=0.015)),  # fingers above the rim
    "stack": partial(_place, manner=Manner(grasp=-0.003, release=0.002, aligned=0.008)),
    "stack_banana": partial(_place, manner=Manner(grasp=0.003, release=0.002, aligned=0.01)),
    "insertion": partial(_place, manner=Manner(grasp=0.015, release=0.008, aligned=0.006)),
}
