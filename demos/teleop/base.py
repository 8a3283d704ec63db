"""The interface between a recording session and a person's input device."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import Command

Picture = NDArray[np.uint8]


class Phase(StrEnum):
    """The current phase of a session."""

    READY = "ready"  # the episode starts with the person's first move
    PLAYING = "playing"
    PAUSED = "paused"  # the person is absent; the next move resumes
    JUDGING = "judging"  # time is up: keep, discard or record again
    FINISHED = "finished"  # nothing more is recorded


class Status(NamedTuple):
    """What the person sees at one moment."""

    phase: Phase
    kept: int  # episodes in the store
    wanted: int
    attempt: int  # counts the episodes started in this session, from 1
    time_left: float  # s, of the episode
    duration: float  # s, of a whole episode
    solved: bool  # whether the task is currently solved
    trouble: str = ""  # why the episode could not be stored when the person decided to keep it


@runtime_checkable
class Teleoperator(Protocol):
    """A person's input device and display.

    Used once per control step, from one thread; neither `read` nor `show` may block.
    """

    def read(self) -> Command:
        """The current command. A button is reported once per press."""

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows the current images, uint8 [H, W, 3] by camera."""

    def close(self) -> None:
        """Releases the device. A second call does nothing."""


@dataclass(frozen=True)
class Feel:
    """How the axes and turns of a device become velocities."""

    pos_sensitivity: float = 1.0  # of full speed at full deflection
    rot_sensitivity: float = 1.0  # the same of turning
    dead_zone: float = 0.1  # deflections below are none; the rest of the way is stretched to begin at 0

    def velocity(self, axes: NDArray[np.float32]) -> NDArray[np.float64]:
        """The velocities that axes [3] in [-1, 1] ask for, in [-1, 1] of full speed."""
        return np.clip(self.pos_sensitivity * self._beyond(axes), -1.0, 1.0)

    def angular_velocity(self, turn: NDArray[np.float32]) -> NDArray[np.float64]:
        """The angular velocities that a turn [3] in [-1, 1] asks for, in [-1, 1] of full speed."""
        return np.clip(self.rot_sensitivity * self._beyond(turn), -1.0, 1.0)

    def _beyond(self, deflection: NDArray[np.float32]) -> NDArray[np.float64]:
        size = np.abs(deflection.astype(np.float64))
        beyond: NDArray[np.float64] = np.clip((size - self.dead_zone) / (1.0 - self.dead_zone), 0.0, 1.0)
        return np.sign(deflection) * beyond
