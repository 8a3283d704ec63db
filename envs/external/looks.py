"""Applies `appearance` (fixed) and `distract` (per episode) to an external environment's model."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.compiled import Turn, drawn
from trailkit.envs.distraction import Distractions
from trailkit.envs.errors import UserError
from trailkit.envs.external.appearance import TURN, change_model
from trailkit.envs.external.source import Source
from trailkit.envs.settings import Appearance, EnvSettings
from trailkit.envs.simulator import mujoco


class Looks:
    """Changes a model by the settings' `appearance` and `distract` at the start of each episode, and back at its end.

    So the environment itself may change colours at each reset, e.g. for a goal that has a colour.
    """

    def __init__(self, settings: EnvSettings) -> None:
        self._settings = settings
        self._turn = TURN if Appearance.CAMERA_POSE in settings.appearance else Turn()
        self._model: mujoco.MjModel | None = None
        self._usual: list[NDArray[Any]] = []  # the look of the model as the environment's reset left it
        self.distractions = Distractions(settings.distract) if settings.distract else None

    def seed(self, seed: int) -> None:
        """Seeds the distractions from the next `begin` on."""
        if self.distractions is not None:
            self.distractions.seed(seed)

    def end(self) -> None:
        """Restores the model before the environment is reset."""
        if self._model is not None:
            for values, usual in zip(drawn(self._model), self._usual, strict=True):
                values[:] = usual

    def begin(self, source: Source) -> None:
        """Changes the model of an environment after its reset.

        Raises:
            UserError: If it has no model, or lacks a part whose look is to change.
        """
        if not (self._settings.appearance or self.distractions):
            return
        found = source.simulation()
        if found is None:
            raise UserError(
                f"{self._settings.task} has no MuJoCo model, in which appearance= and distract= change something"
            )
        met = found[0] is self._model  # composer recompiles some models at each reset
        self._model, self._usual = found[0], [values.copy() for values in drawn(found[0])]
        change_model(*found, [Appearance(each) for each in self._settings.appearance], met)
        if self.distractions is not None:
            self.distractions.forget()
            self.distractions.begin(*found)

    def turned(self, camera: mujoco.MjvCamera) -> mujoco.MjvCamera:
        """A camera that is not part of the model, turned like those that are; it has no roll."""
        if camera.type != mujoco.mjtCamera.mjCAMERA_FREE:
            return camera
        turn = self.distractions.turn if self.distractions else Turn()
        turned = copy.copy(camera)
        turned.azimuth += np.degrees(self._turn.pan + turn.pan)
        turned.elevation += np.degrees(self._turn.tilt + turn.tilt)
        return turned
