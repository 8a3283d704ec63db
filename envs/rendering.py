"""The headless renderer, fast for small images.

MuJoCo's defaults render shadows, reflections, haze and four samples per pixel into a large buffer, which in software
takes about 60 ms whatever the image size. Without them a 64x64 image takes less than 2 ms, most of it for triangles;
so geoms outside the camera's view are not sent to be drawn. A skybox, if a model has one, has no measurable cost.
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

_SPARE_GEOMS = 1000  # in a scene: for anything that is not a geom or site of the model, such as tendons and distractors
_HIDDEN_GROUP = 5  # of geoms: one that no task uses and that `MjvOption` hides
_MARGIN = 1e-3  # m, how far a geom must lie outside the view
_COSTLY_EFFECTS = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_HAZE,
    mujoco.mjtRndFlag.mjRND_FOG,
)


class Quality(StrEnum):
    """How much effort goes into an image."""

    FAST = "fast"  # what policies see
    FULL = "full"  # what people see: shadows, reflections, antialiasing


class Scenery(Protocol):
    """What images show besides the model; `trailkit.envs.distraction.Distractions` is one."""

    @property
    def hides_background(self) -> bool:
        """Whether `background` replaces the sky and infinite planes."""

    def furnish(self, scene: mujoco.MjvScene) -> None:
        """Adds things to a scene before it is drawn."""

    def background(self, height: int, width: int, time: float) -> NDArray[np.uint8]:
        """The background at a simulation time in seconds: uint8 [height, width, 3]."""


class Renderer:
    """Renders a model's cameras at one image size, in its own OpenGL context.

    The context lives until `close`, garbage collection or the end of the process, whichever comes first. It belongs
    to the thread that created it.
    """

    def __init__(self, model: mujoco.MjModel, height: int, width: int, quality: Quality = Quality.FAST) -> None:
        """Makes the context.

        Raises:
            UserError: If headless OpenGL is not available.
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
        self._culls = quality is Quality.FAST  # shadows and reflections depend on things out of view
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
        """Renders one camera.

        Args:
            data: The simulation's state, with kinematics up to date.
            camera: The camera's id in the model, or a camera that is not part of the model.
            scenery: What to show besides the model, if anything.

        Returns:
            A new image, uint8 [height, width, 3], top row first.
        """
        without_background = scenery is not None and scenery.hides_background
        self._arrange(data, camera, without_background)
        if scenery is not None:
            scenery.furnish(self._scene)
        self.draw(without_background)
        picture = self._pixels[::-1].copy()  # OpenGL's first row is at the bottom
        if scenery is not None and without_background:
            empty = self._depth[::-1] == 1.0
            picture[empty] = scenery.background(self._rect.height, self._rect.width, data.time)[empty]
        return picture

    def _arrange(self, data: mujoco.MjData, camera: int | mujoco.MjvCamera, without_background: bool) -> None:
        """Builds the scene that a camera sees."""
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
        """Draws the scene as last arranged, into the renderer's own buffer."""
        self._gl.make_current()
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, self._depth if with_depth else None, self._rect, self._context)


def _is_pyramid(model: mujoco.MjModel, camera: int) -> bool:
    """Whether `cam_fovy` is an angle that, with the image's aspect ratio, fully determines what a camera sees.

    For an orthographic camera it is a length, and a camera with a sensor may look off-centre.
    """
    perspective = model.cam_projection[camera] == mujoco.mjtProjection.mjPROJ_PERSPECTIVE
    return bool(perspective and not model.cam_sensorsize[camera].any())


def _out_of_view(model: mujoco.MjModel, data: mujoco.MjData, camera: int, aspect: float) -> NDArray[np.bool_]:
    """Which geoms are certainly invisible: their bounding spheres lie outside one side of the view pyramid, [ngeom]."""
    height = np.tan(np.radians(model.cam_fovy[camera]) / 2)
    width = height * aspect
    # The outward normals of the four sides, in the camera frame, which looks along -z.
    sides = np.array([(1, 0, width), (-1, 0, width), (0, 1, height), (0, -1, height)])
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    offsets = (data.geom_xpos - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(3, 3)
    distance = (offsets @ sides.T).max(axis=1)
    hidden: NDArray[np.bool_] = (distance > model.geom_rbound + _MARGIN) & (model.geom_rbound > 0)  # 0: a plane
    return hidden


def _make_context(model: mujoco.MjModel, height: int, width: int, quality: Quality) -> mujoco.MjrContext:
    """Makes MuJoCo's rendering context, which sizes its buffers by the model's visual settings at creation."""
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
    with contextlib.suppress(Exception):  # current in another thread, whose end frees it
        gl_context.make_current()
        context.free()
    gl_context.free()


@functools.cache
def _open_renderers() -> weakref.WeakSet[Renderer]:
    """The renderers to close at exit, before MuJoCo closes the display, also at exit.

    Exit handlers run in reverse order, and this one is registered after MuJoCo's, which is registered with the first
    context. Finalizers share a single position in that order per process, often an early one.
    """
    renderers: weakref.WeakSet[Renderer] = weakref.WeakSet()
    atexit.register(lambda: [renderer.close() for renderer in list(renderers)])
    return renderers
