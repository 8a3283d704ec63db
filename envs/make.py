"""Makes an environment from settings, trailkit's own or external."""

import functools
import json
from typing import NamedTuple

from trailkit.envs.actions import make_controller
from trailkit.envs.environment import Environment
from trailkit.envs.external.environment import ExternalEnvironment
from trailkit.envs.robot import PROPRIOCEPTION_SIZE
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings
from trailkit.envs.tasks.environment import TaskEnvironment


class Signature(NamedTuple):
    """What networks and demonstrations must know about an environment besides its settings."""

    action_size: int
    proprio_size: int  # 0 if the robot's own state is not observed
    control_timestep: float  # seconds between actions
    low: tuple[float, ...]  # [A], what actions of -1 mean in the environment's own units
    high: tuple[float, ...]  # [A], the same for 1


def make_environment(settings: EnvSettings, seed: int | None = None) -> Environment:
    """Makes an environment.

    Raises:
        UserError: If there is no such task, or its package is not installed; if a camera, a part of the observation or
            the success signal in the settings does not exist, or if its actions are not vectors of numbers.
    """
    return TaskEnvironment(settings, seed) if settings.external is None else ExternalEnvironment(settings, seed)


def signature(settings: EnvSettings) -> Signature:
    """The signature of an environment; an external one is made once per process to find out.

    Raises:
        UserError: As for `make_environment`.
    """
    if settings.external is not None:
        plain = settings.looking_as(EnvSettings())
        return _asked(json.dumps(plain.to_dict(), sort_keys=True))
    proprio_size = PROPRIOCEPTION_SIZE if settings.observation.proprioception else 0
    size = make_controller(settings.action_space).size
    return Signature(size, proprio_size, CONTROL_TIMESTEP, (-1.0,) * size, (1.0,) * size)


@functools.cache
def _asked(settings: str) -> Signature:
    with ExternalEnvironment(EnvSettings.from_dict(json.loads(settings))) as env:
        proprio = env.observation_spec().get("proprio")
        low, high = (tuple(map(float, bound)) for bound in env.bounds)
        return Signature(len(low), proprio.shape[0] if proprio else 0, env.control_timestep, low, high)
