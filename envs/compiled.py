"""Reads and changes how a compiled MuJoCo model looks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.simulator import mujoco

_UNSET = np.array([0.5, 0.5, 0.5, 1.0])  # MuJoCo's colour of a geom that uses its material's colour
_JOINTS = mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT


class Turn(NamedTuple):
    """A rotation of a camera about its own axes, in radians: to the left, upwards, and anticlockwise."""

    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0


def _welds(model: mujoco.MjModel) -> NDArray[np.int_]:
    """The pairs of bodies connected by a weld constraint, [N, 2]; a mocap body is a handle that moves another body."""
    bodies = model.eq_objtype == mujoco.mjtObj.mjOBJ_BODY
    tied = bodies & (model.eq_type == mujoco.mjtEq.mjEQ_WELD)
    pairs: NDArray[np.int_] = np.column_stack([model.eq_obj1id[tied], model.eq_obj2id[tied]])
    return pairs


def robot_geoms(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Which geoms belong to the robot, i.e. to a body tree with motors or moved by a mocap handle: [ngeom]."""
    motors = np.isin(model.actuator_trntype, _JOINTS)
    driven = model.jnt_bodyid[model.actuator_trnid[motors, 0]]
    led = [body for pair in _welds(model) if (model.body_mocapid[pair] >= 0).any() for body in pair]
    roots = model.body_rootid[np.union1d(driven, np.asarray(led, int))]
    robot: NDArray[np.bool_] = np.isin(model.body_rootid[model.geom_bodyid], roots[roots != 0])
    return robot


def colours(model: mujoco.MjModel) -> NDArray[np.float64]:
    """The colours in which geoms are drawn, [ngeom, 4]: their own, otherwise their material's."""
    own = np.array(model.geom_rgba, np.float64)
    materials = (own == _UNSET).all(axis=1) & (model.geom_matid >= 0)
    own[materials] = model.mat_rgba[model.geom_matid[materials]]
    return own


def recolour(model: mujoco.MjModel, geoms: NDArray[np.int_], rgb: NDArray[np.float64]) -> None:
    """Gives geoms their own colours, [N, 3], clipped to [0, 1]; their transparency is unchanged."""
    alpha = colours(model)[geoms, 3]
    rgba = np.column_stack([rgb.clip(0.0, 1.0), alpha])
    rgba[(rgba == _UNSET).all(axis=1), 0] += 1e-3  # otherwise the material's colour would show
    model.geom_rgba[geoms] = rgba


def drawn(model: mujoco.MjModel) -> list[NDArray[np.float64] | NDArray[np.float32]]:
    """The parts of a model that define its look and may change between renderings: its own arrays, not copies."""
    headlight = model.vis.headlight
    lights = model.light_ambient, model.light_diffuse, model.light_pos, model.light_dir
    return [model.geom_rgba, model.cam_quat, *lights, headlight.ambient, headlight.diffuse]


def standing_cameras(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Which cameras are fixed in the world, neither on a moving body nor tracking a target: [ncam]."""
    fixed = model.cam_mode == mujoco.mjtCamLight.mjCAMLIGHT_FIXED
    standing: NDArray[np.bool_] = fixed & (model.body_weldid[model.cam_bodyid] == 0)
    return standing


def turn_cameras(model: mujoco.MjModel, data: mujoco.MjData, turn: Turn) -> None:
    """Turns the cameras that are fixed in the world; the others are unchanged."""
    for camera in np.flatnonzero(standing_cameras(model)):
        for axis, angle in (((0.0, 1.0, 0.0), turn.pan), ((1.0, 0.0, 0.0), turn.tilt), ((0.0, 0.0, 1.0), turn.roll)):
            turned, by = np.empty(4), np.empty(4)
            mujoco.mju_axisAngle2Quat(by, np.array(axis), angle)
            mujoco.mju_mulQuat(turned, model.cam_quat[camera], by)
            model.cam_quat[camera] = turned
    mujoco.mj_camlight(model, data)
