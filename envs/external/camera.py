"""Images of an external environment: of its MuJoCo model by our renderer, otherwise by its own `render`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trailkit.envs.compiled import standing_cameras
from trailkit.envs.errors import unknown
from trailkit.envs.external.looks import Looks
from trailkit.envs.external.source import Source
from trailkit.envs.rendering import Quality, Renderer
from trailkit.envs.simulator import mujoco

OWN = "own"  # the view of the environment's own `render`


class Cameras:
    """Renders the cameras of an environment's model, and its own view."""

    def __init__(self, source: Source, looks: Looks) -> None:
        """Finds the cameras of an environment whose look `looks` controls."""
        self._source, self._looks = source, looks
        self._renderers: dict[tuple[int, int, Quality], tuple[Any, Renderer]] = {}
        found = source.simulation()
        model = found[0] if found else None
        self._ids: dict[str, int] = (
            {}
            if model is None
            else {
                name: camera
                for camera in range(model.ncam)
                if (name := mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_CAMERA, camera))
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The environment's own view, then the model's cameras."""
        return (OWN, *self._ids)

    def check(self, camera: str) -> None:
        """Checks that a camera exists.

        Raises:
            UserError: If it does not; lists those that exist.
        """
        if camera not in self.names:
            raise unknown("camera", camera, self.names)

    def stands(self, camera: str) -> bool:
        """Whether a camera is fixed in the world, so that `camera_pose` and `distract=[camera]` turn it."""
        found = self._source.simulation()
        if found is None:
            return False
        view = self._source.own_camera() if camera == OWN else None
        if view is not None and view.type != mujoco.mjtCamera.mjCAMERA_FIXED:
            return bool(view.type == mujoco.mjtCamera.mjCAMERA_FREE)
        return bool(standing_cameras(found[0])[self._ids[camera] if view is None else view.fixedcamid])

    def draw(self, camera: str, height: int, width: int, quality: Quality) -> NDArray[np.uint8]:
        """Renders the current state, uint8 [height, width, 3].

        Raises:
            UserError: If there is no headless OpenGL, or the environment cannot be rendered at all.
        """
        found = self._source.simulation()
        if found is None:
            picture = Image.fromarray(self._source.picture())
            return np.asarray(picture.resize((width, height), Image.Resampling.BOX))
        model, data = found
        view = self._looks.turned(self._source.own_camera()) if camera == OWN else self._ids[camera]
        return self._renderer(model, height, width, quality).render(data, view, self._looks.distractions)

    def close(self) -> None:
        """Frees the renderers."""
        for _, renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _renderer(self, model: mujoco.MjModel, *size: Any) -> Renderer:
        of, renderer = self._renderers.get(size, (None, None))
        if renderer is None or of is not model:  # composer recompiles some models at each reset
            if renderer is not None:
                renderer.close()
            renderer = Renderer(model, *size)
            self._renderers[size] = model, renderer
        return renderer
