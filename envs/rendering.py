"""The headless renderer: small pictures at the price of small pictures.

MuJoCo's defaults draw shadows, reflections, haze and four samples a pixel into a large buffer, which in
software costs some 60 ms whatever the size of the picture. Without them a 64x64 picture costs less than 2 ms, most of
it for triangles; so what lies outside the camera's view is not sent to be drawn. A skybox, where a model has one, costs
nothing that can be measured.
"""

import atexit
import contextlib
import functools
import importlib
import weakref
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trailkit.envs import gl
from trailkit.envs.simulator import mujoco

_SPARE_GEOMS = 1000  # in a scene: for what is neither a geom nor a site of the model, such as tendons and distractors
_HIDDEN_GROUP = 5  # of geoms: one that no task uses and that `MjvOption` leaves out
_MARGIN = 1e-3  # m, by which a geom has to miss the view
_COSTLY_EFFECTS = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_HAZE,
    mujoco.mjtRndFlag.mjRND_FOG,
)


class Quality(StrEnum):
    """How much effort goes into a picture."""

    FAST = "fast"  # what policies see
    FULL = "full"  # what people see: shadows, reflections, antialiasing


class Scenery(Protocol):
    """What is in pictures beside the model; `trailkit.envs.distraction.Distractions` is one."""

    @property
    def hides_background(self) -> bool:
        """Whether `background` is to be seen instead of the sky and of planes without end."""

    def furnish(self, scene: mujoco.MjvScene) -> None:
        """Adds things to a scene that is about to be drawn."""

    def background(self, height: int, width: int, time: float) -> NDArray[np.uint8]:
        """What is to be seen behind it at a time of the simulation, in seconds: uint8 [height, width, 3]."""


class Renderer:
    """Draws a model's cameras at one size, in an OpenGL context of its own.

    The context lives until `close`, garbage collection or the end of the process, whichever comes first. It
    belongs to the thread that made it.
    """

    def __init__(self, model: mujoco.MjModel, height: int, width: int, quality: Quality = Quality.FAST) -> None:
        """Makes the context.

        Raises:
            UserError: If no headless OpenGL is to be had.
        """
        backend = importlib.import_module(f"mujoco.{gl.require()}")
        self._model = model
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + model.nsite + _SPARE_GEOMS)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._culls = quality is Quality.FAST  # shadows and reflections show things that are out of view
        if quality is Quality.FAST:
            for effect in _COSTLY_EFFECTS:
                self._scene.flags[effect] = False
        self._gl = backend.GLContext(width, height)
        self._gl.make_current()
        self._context = _make_context(model, height, width, quality)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self.close = weakref.finalize(self, _free, self._gl, self._context)
        self.close.atexit = False
        _open_renderers().add(self)

    def render(
        self, data: mujoco.MjData, camera: int | mujoco.MjvCamera, scenery: Scenery | None = None
    ) -> NDArray[np.uint8]:
        """Draws one camera.

        Args:
            data: The simulation's state, with kinematics up to date.
            camera: The camera's id in the model, or one that is not in it.
            scenery: What is there beside the model, if anything.

        Returns:
            A new picture, uint8 [height, width, 3], the first row on top.
        """
        without_background = scenery is not None and scenery.hides_background
        self._arrange(data, camera, without_background)
        if scenery is not None:
            scenery.furnish(self._scene)
        self.draw(without_background)
        picture = self._pixels[::-1].copy()  # OpenGL's first row is the lowest
        if scenery is not None and without_background:
            empty = self._depth[::-1] == 1.0
            picture[empty] = scenery.background(self._rect.height, self._rect.width, data.time)[empty]
        return picture

    def _arrange(self, data: mujoco.MjData, camera: int | mujoco.MjvCamera, without_background: bool) -> None:
        """Makes the scene that a camera sees."""
        free = not isinstance(camera, int | np.integer)
        if not free:
            self._camera.fixedcamid = camera
        groups = self._model.geom_group.copy()
        if self._culls and not free and _is_pyramid(self._model, camera):
            hidden = _out_of_view(self._model, data, camera, self._rect.width / self._rect.height)
            self._model.geom_group[hidden] = _HIDDEN_GROUP
        if without_background:
            self._model.geom_group[self._model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = _HIDDEN_GROUP
        view = camera if free else self._camera
        mujoco.mjv_updateScene(self._model, data, self._option, None, view, mujoco.mjtCatBit.mjCAT_ALL, self._scene)
        self._model.geom_group[:] = groups
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = not without_background

    def draw(self, with_depth: bool = False) -> None:
        """Draws the scene as it was arranged last, into the renderer's own memory."""
        self._gl.make_current()
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, self._depth if with_depth else None, self._rect, self._context)


def _is_pyramid(model: mujoco.MjModel, camera: int) -> bool:
    """Whether `cam_fovy` is an angle, and with the picture's proportions says all of what a camera sees.

    That of an orthographic camera is a length, and one with a sensor looks past its middle.
    """
    perspective = model.cam_projection[camera] == mujoco.mjtProjection.mjPROJ_PERSPECTIVE
    return bool(perspective and not model.cam_sensorsize[camera].any())


def _out_of_view(model: mujoco.MjModel, data: mujoco.MjData, camera: int, aspect: float) -> NDArray[np.bool_]:
    """Which geoms certainly do not show: their bounding spheres lie beyond a side of the view's pyramid, [ngeom]."""
    height = np.tan(np.radians(model.cam_fovy[camera]) / 2)
    width = height * aspect
    # The outward normals of the four sides, in the camera's frame, which looks along -z.
    sides = np.array([(1, 0, width), (-1, 0, width), (0, 1, height), (0, -1, height)])
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    offsets = (data.geom_xpos - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(3, 3)
    distance = (offsets @ sides.T).max(axis=1)
    hidden: NDArray[np.bool_] = (distance > model.geom_rbound + _MARGIN) & (model.geom_rbound > 0)  # 0: a plane
    return hidden


def _make_context(model: mujoco.MjModel, height: int, width: int, quality: Quality) -> mujoco.MjrContext:
    """Makes MuJoCo's rendering context, whose buffers are sized by the model's visual settings when it is made."""
    size, effort = model.vis.global_, model.vis.quality
    saved = size.offheight, size.offwidth, effort.offsamples, effort.shadowsize
    size.offheight, size.offwidth = height, width
    if quality is Quality.FAST:
        effort.offsamples, effort.shadowsize = 0, 0
    try:
        return mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    finally:
        size.offheight, size.offwidth, effort.offsamples, effort.shadowsize = saved


def _free(gl_context: Any, context: mujoco.MjrContext) -> None:
    with contextlib.suppress(Exception):  # current in another thread, which takes what it holds along when it ends
        gl_context.make_current()
        context.free()
    gl_context.free()


@functools.cache
def _open_renderers() -> weakref.WeakSet[Renderer]:
    """The renderers to close at exit, before MuJoCo takes down the display, which it does at exit too.

    Exit handlers run in reverse order, and this one is registered after MuJoCo's, which comes with the first context.
    Finalizers have one place in that order for the whole process, often an early one.
    """
    renderers: weakref.WeakSet[Renderer] = weakref.WeakSet()
    atexit.register(lambda: [renderer.close() for renderer in list(renderers)])
    return renderers
