"""Gymnasium-Robotics (https://robotics.farama.org) with current MuJoCo."""

from types import SimpleNamespace
from typing import Any

from trailkit.envs.external.optional import require
from trailkit.envs.simulator import mujoco


def load() -> Any:
    """Imports Gymnasium-Robotics and patches it.

    Since MuJoCo 3.17 its enums equal NumPy integers only as the right operand of ==; version 1.4 also has them left.

    Raises:
        UserError: If it is not installed.
    """
    package = require("gymnasium_robotics", "gymnasium_robotics")
    utils = require("gymnasium_robotics.utils.mujoco_utils", "gymnasium_robotics")
    kinds = {name: int(kind) for name, kind in mujoco.mjtJoint.__members__.items()}
    utils.mujoco = SimpleNamespace(**vars(mujoco) | {"mjtJoint": SimpleNamespace(**kinds)})
    return package
