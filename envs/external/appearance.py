"""Changes to how an external environment looks that leave its dynamics unchanged.

The names are those of `trailkit.envs.appearance`; this is its counterpart for models that are already compiled and
whose parts have unknown names.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.compiled import Turn, colours, recolour, robot_geoms, turn_cameras
from trailkit.envs.errors import UserError
from trailkit.envs.settings import Appearance
from trailkit.envs.simulator import mujoco

_ARM = (1.0, 0.55, 0.12)  # orange
_STANDING = (0.5, 0.85, 0.7)  # green
_LIGHT = 0.55  # as a fraction of the usual brightness
TURN = Turn(pan=np.radians(2.0), roll=np.radians(4.0))  # about 3 of 64 pixels to the side


def change_model(
    model: mujoco.MjModel, data: mujoco.MjData, appearance: Iterable[Appearance], again: bool = False
) -> None:
    """Changes the look of a model.

    Args:
        model: The model.
        data: Its state.
        appearance: The changes to make.
        again: Whether the model was changed before and then restored, except for its textures, which the renderer had
            already received.

    Raises:
        UserError: If the arm's colour is to change, but no motor shows which bodies form an arm.
    """
    for each in appearance:
        _CHANGES[each](model, data)
        if each is Appearance.TABLE_COLOUR and not again:
            for texture in np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX):
                _tint_texture(model, texture, _STANDING)


def _colour_arm(model: mujoco.MjModel, _: mujoco.MjData) -> None:
    geoms = np.flatnonzero(robot_geoms(model))
    if not len(geoms):
        raise UserError("appearance=[arm_colour]: no motor moves a body of this model, so none of it is an arm")
    _tint(model, geoms, _ARM)


def _colour_standing(model: mujoco.MjModel, _: mujoco.MjData) -> None:
    stands = model.body_weldid[model.geom_bodyid] == 0
    _tint(model, np.flatnonzero(stands & ~robot_geoms(model)), _STANDING)


def _change_light(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Dims all lights and mirrors their positions from left to right."""
    headlight = model.vis.headlight
    for light in (headlight.ambient, headlight.diffuse, model.light_ambient, model.light_diffuse):
        light[:] = _LIGHT * np.asarray(light)
    model.light_pos[:, 0] *= -1
    model.light_dir[:, 0] *= -1
    mujoco.mj_camlight(model, data)


def _turn_cameras(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    turn_cameras(model, data, TURN)


def _tint(model: mujoco.MjModel, geoms: NDArray[np.int_], tint: tuple[float, ...]) -> None:
    brightness = colours(model)[geoms, :3].mean(axis=1, keepdims=True)
    recolour(model, geoms, (0.3 + 0.7 * brightness) * np.array(tint))


def _tint_texture(model: mujoco.MjModel, texture: int, tint: tuple[float, ...]) -> None:
    begin, channels = model.tex_adr[texture], model.tex_nchannel[texture]
    size = model.tex_height[texture] * model.tex_width[texture]
    pixels = model.tex_data[begin : begin + size * channels].reshape(size, channels)
    pixels[:, :3] = pixels[:, :3].mean(axis=1, keepdims=True) * np.array(tint)


_CHANGES: dict[Appearance, Callable[[mujoco.MjModel, mujoco.MjData], None]] = {
    Appearance.ARM_COLOUR: _colour_arm,
    Appearance.TABLE_COLOUR: _colour_standing,
    Appearance.LIGHT: _change_light,
    Appearance.CAMERA_POSE: _turn_cameras,
}
