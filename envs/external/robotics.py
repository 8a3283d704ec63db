"""Gymnasium-Robotics (https://robotics.farama.org) on a current MuJoCo."""

from types import SimpleNamespace
from typing import Any

from trailkit.envs.external.optional import require
from trailkit.envs.simulator import mujoco


def load() -> Any:
    """Imports Gymnasium-Robotics, mended.

    Since MuJoCo 3.17 its enumerations equal NumPy's integers from the right only, and version 1.4 asks from the left.

    Raises:
        UserError: If it is not installed.
    """
    package = require("gymnasium_robotics", "gymnasium_robotics")
    utils = require("gymnasium_robotics.utils.mujoco_utils", "gymnasium_robotics")
    kinds = {name: int(kind) for name, kind in mujoco.mjtJoint.__members__.items()}
    utils.mujoco = SimpleNamespace(**vars(mujoco) | {"mjtJoint": SimpleNamespace(**kinds)})
    return package
