"""How a scene can look otherwise, while everything in it moves as before.

The pairs are the perturbations that robustness benchmarks of manipulation agree on (e.g. THE COLOSSEUM, Pumacay et al.
2024, https://arxiv.org/abs/2402.08191): colours, light and the cameras' poses.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from trailkit.envs.errors import UserError
from trailkit.envs.settings import Appearance, Distraction, EnvSettings

_ARM = {"dark_gray": (0.75, 0.35, 0.05, 1), "light_gray": (0.95, 0.8, 0.45, 1)}  # orange instead of black and grey
_TABLE = {"table": (0.25, 0.42, 0.36, 1), "floor": (0.5, 0.33, 0.3, 1)}  # green on red-brown instead of beige on grey
_LIGHT = 0.55  # of the usual brightness
_LIGHT_POSITION = (-0.6, -0.5, 1.1)  # m: from the left instead of from the right
_CAMERA_SHIFT = 0.02  # m, to each camera's right: some 3 of 64 pixels
_CAMERA_ROLL = np.deg2rad(4.0)


def check_cameras(settings: EnvSettings, stands: Callable[[str], bool]) -> None:
    """Makes sure that where cameras are to look otherwise, one of those that are observed does.

    Args:
        settings: The environment's.
        stands: Whether a camera of that name stands, so that it is turned.

    Raises:
        UserError: If none does.
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
        model: The root of the table, the robot and the cameras.
        appearance: What is to look otherwise.
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
    """Moves and rolls the cameras that stand; the wrist's stays where it is screwed on."""
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
