"""Meta-World's tasks (Yu et al. 2019, https://arxiv.org/abs/1910.10897), each with goals that vary by episode."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError, unknown
from trailkit.envs.external.gymnasium_source import GymnasiumSource
from trailkit.envs.external.optional import require
from trailkit.envs.external.source import Moment
from trailkit.envs.settings import EnvSettings
from trailkit.envs.simulator import mujoco


class MetaWorldSource(GymnasiumSource):
    """Handles seeding itself: Meta-World's `reset` takes no seed, and draws goals only if told to."""

    def __init__(self, settings: EnvSettings) -> None:
        """Makes the environment.

        Raises:
            UserError: If there is no such task, Meta-World is not installed, or `env.kwargs` are given.
        """
        assert settings.external is not None
        if settings.external.kwargs:
            raise UserError("env=metaworld takes no env.kwargs: its tasks have no settings")
        _mend(require("metaworld.sawyer_xyz_env", "metaworld").SawyerMocapBase)
        tasks = require("metaworld.env_dict", "metaworld").ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE
        name = f"{settings.task}-goal-observable"
        if name not in tasks:
            raise unknown(
                "task of Meta-World", settings.task, [each.removesuffix("-goal-observable") for each in tasks]
            )
        self._sawyer: Any = tasks[name](seed=0)
        self._sawyer.max_path_length = np.inf  # the settings' time limit applies instead
        self._sawyer.seeded_rand_vec, self._sawyer._freeze_rand_vec = True, False
        super().__init__(settings.task, self._sawyer)

    def reset(self, seed: int | None) -> Moment:
        """See `Source`."""
        if seed is not None:
            self._sawyer.seed(seed)
        return super().reset(None)

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Source`: actions have exactly this form."""
        return motion


def _mend(base: Any) -> None:
    """Makes Meta-World 3.0 work with current MuJoCo, whose constraints have more than the eleven values it sets."""
    base.reset_mocap_welds = _reset_mocap_welds


def _reset_mocap_welds(env: Any) -> None:
    welds = env.model.eq_type == mujoco.mjtEq.mjEQ_WELD
    env.model.eq_data[welds] = 0.0
    env.model.eq_data[welds, 6] = -1.0  # the quaternion between hand and mocap body: unset, as Meta-World does it
    env.model.eq_data[welds, 10] = 5.0  # ratio of torque to force


def expert(task: str) -> Any:
    """Meta-World's own scripted policy for a task, which reads the complete observation.

    Raises:
        UserError: If there is none.
    """
    policies = require("metaworld.policies", "metaworld").ENV_POLICY_MAP
    if task not in policies:
        raise unknown("scripted expert for task", task, policies)
    return policies[task]()
