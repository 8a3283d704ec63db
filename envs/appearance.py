"""Changes to how a scene looks that leave its dynamics unchanged.

The choices are the perturbations that robustness benchmarks for manipulation agree on (e.g. THE COLOSSEUM, Pumacay et
al. 2024, https://arxiv.org/abs/2402.08191): colours, light and the cameras' poses.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from trailkit.envs.errors import UserError
from trailkit.envs.settings import Appearance, Distraction, EnvSettings

_ARM = {"dark_gray": (0.75, 0.35, 0.05, 1), "light_gray": (0.95, 0.8, 0.45, 1)}  # orange instead of black and grey
_TABLE = {"table": (0.25, 0.42, 0.36, 1), "floor": (0.5, 0.33, 0.3, 1)}  # green on red-brown instead of beige on grey
_LIGHT = 0.55  # as a fraction of the usual brightness
_LIGHT_POSITION = (-0.6, -0.5, 1.1)  # m: on the left instead of the right
_CAMERA_SHIFT = 0.02  # m, to each camera's right: about 3 of 64 pixels
_CAMERA_ROLL = np.deg2rad(4.0)


def check_cameras(settings: EnvSettings, stands: Callable[[str], bool]) -> None:
    """Checks that at least one observed camera is affected where cameras are to be changed.

    Args:
        settings: The environment's settings.
        stands: Whether the camera of a given name is fixed in the world, so that it is changed.

    Raises:
        UserError: If none is affected.
    """
    said = ["appearance=[camera_pose]"] * (Appearance.CAMERA_POSE in settings.appearance)
    said += ["distract=[camera]"] * (Distraction.CAMERA in settings.distract)
    cameras = settings.observation.cameras
    if said and cameras and not any(map(stands, cameras)):
        raise UserError(
            f"{' and '.join(said)}: none of the cameras that are observed ({', '.join(cameras)}) stands still, so none "
            "of them is turned; observe one that does, or leave it out"
        )


def change_appearance(model: Any, appearance: Iterable[Appearance]) -> None:
    """Changes a task's MJCF model, before it is compiled.

    Args:
        model: The root model that contains the table, the robot and the cameras.
        appearance: The changes to make.
    """
    for each in appearance:
        _CHANGES[each](model)


def _colour_arm(model: Any) -> None:
    for material in model.find_all("material"):
        if material.name in _ARM:
            material.rgba = _ARM[material.name]


def _colour_table(model: Any) -> None:
    for name, rgba in _TABLE.items():
        model.find("geom", name).rgba = rgba


def _change_light(model: Any) -> None:
    headlight = model.visual.headlight
    for light in (headlight, *model.worldbody.light):
        light.diffuse = _LIGHT * np.asarray(light.diffuse)
    headlight.ambient = _LIGHT * np.asarray(headlight.ambient)
    for light in model.worldbody.light:
        light.pos, light.dir = _LIGHT_POSITION, np.subtract((0, 0.1, 0), _LIGHT_POSITION)


def _move_cameras(model: Any) -> None:
    """Moves and rolls the cameras fixed in the world; the wrist camera stays where it is mounted."""
    for camera in model.worldbody.camera:
        right, up = np.reshape(camera.xyaxes, (2, 3))
        camera.pos = camera.pos + _CAMERA_SHIFT * right
        cos, sin = np.cos(_CAMERA_ROLL), np.sin(_CAMERA_ROLL)
        camera.xyaxes = (*(cos * right + sin * up), *(cos * up - sin * right))


_CHANGES: dict[Appearance, Callable[[Any], None]] = {
    Appearance.ARM_COLOUR: _colour_arm,
    Appearance.TABLE_COLOUR: _colour_table,
    Appearance.LIGHT: _change_light,
    Appearance.CAMERA_POSE: _move_cameras,
}
