"""What each pixel shows: the arm, one of the objects, or the background."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs import gl
from trailkit.envs.simulator import mujoco
from trailkit.envs.tasks.environment import TaskEnvironment

BACKGROUND, ARM = 0, 1  # the objects follow


class Segmenter:
    """Renders what each pixel shows, and knows the names of the objects.

    An object is any top-level body other than the robot.
    """

    def __init__(self, env: TaskEnvironment) -> None:
        """Makes a renderer, which `close` frees.

        Raises:
            UserError: If headless OpenGL is not available.
        """
        gl.require()
        self._env = env
        model = env.physics.model.ptr
        robot = env.task.robot.root
        roots = sorted(set(model.body_rootid) - {0, robot})
        self.objects = {mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_BODY, i).rstrip("/"): int(i) for i in roots}
        region = {0: BACKGROUND, robot: ARM} | {root: ARM + 1 + i for i, root in enumerate(roots)}
        of_geom = [region[model.body_rootid[body]] for body in model.geom_bodyid]
        self._region = np.array([*of_geom, BACKGROUND], np.uint8)  # the last entry is for pixels that show nothing, -1
        self._renderer = _make_renderer(model, env.settings.observation.height, env.settings.observation.width)

    def close(self) -> None:
        """Frees the renderer."""
        # MuJoCo's renderer frees its buffers in the current context; rendering makes its own context current. Otherwise
        # the buffers of another context would be freed.
        self._renderer.render()
        self._renderer.close()

    def draw(self) -> NDArray[np.uint8]:
        """The regions of the current state's pixels, all cameras in one row: [cameras * height * width]."""
        drawn = []
        for camera in self._env.settings.observation.cameras:
            self._renderer.update_scene(self._env.physics.data.ptr, self._env.task.camera_id(camera))
            ids, kinds = np.moveaxis(self._renderer.render(), -1, 0)
            drawn.append(self._region[np.where(kinds == mujoco.mjtObj.mjOBJ_GEOM, ids, -1)].ravel())
        return np.concatenate(drawn)


def _make_renderer(model: Any, height: int, width: int) -> Any:
    """Makes MuJoCo's own renderer, with a buffer of the images' size and one sample per pixel."""
    size, effort = model.vis.global_, model.vis.quality
    saved = size.offheight, size.offwidth, effort.offsamples, effort.shadowsize
    size.offheight, size.offwidth, effort.offsamples, effort.shadowsize = height, width, 0, 0
    try:
        renderer = mujoco.Renderer(model, height, width)
    finally:
        size.offheight, size.offwidth, effort.offsamples, effort.shadowsize = saved
    renderer.enable_segmentation_rendering()
    return renderer
