"""The interface between a recording session and the device that a person holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import Command

Picture = NDArray[np.uint8]


class Phase(StrEnum):
    """What a session does at the moment."""

    READY = "ready"  # the episode begins with the person's first move
    PLAYING = "playing"
    PAUSED = "paused"  # the person is gone; goes on with the next move
    JUDGING = "judging"  # the time is up: keep, discard or record again
    FINISHED = "finished"  # nothing more is recorded


class Status(NamedTuple):
    """What a person is told at one moment."""

    phase: Phase
    kept: int  # episodes in the store
    wanted: int
    attempt: int  # counts the episodes begun in this session, from 1
    time_left: float  # s, of the episode
    duration: float  # s, of a whole episode
    solved: bool  # whether the task is solved now
    trouble: str = ""  # why the episode could not be stored when the person wanted to keep it


@runtime_checkable
class Teleoperator(Protocol):
    """A device in a person's hands, and what that person sees.

    Read and shown to once for each control step, from one thread; neither may block.
    """

    def read(self) -> Command:
        """What is commanded now. A button is reported once for each press."""

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows the pictures of this moment, uint8 [H, W, 3] by camera."""

    def close(self) -> None:
        """Lets go of the device. A second call does nothing."""


@dataclass(frozen=True)
class Feel:
    """How the axes of a device become velocities."""

    pos_sensitivity: float = 1.0  # of full speed at full deflection
    dead_zone: float = 0.1  # deflections below are none; the rest of the way is stretched to begin at 0

    def velocity(self, axes: NDArray[np.float32]) -> NDArray[np.float64]:
        """The velocities that axes [3] in [-1, 1] ask for, in [-1, 1] of full speed."""
        size = np.abs(axes.astype(np.float64))
        beyond = np.clip((size - self.dead_zone) / (1.0 - self.dead_zone), 0.0, 1.0)
        return np.clip(self.pos_sensitivity * np.sign(axes) * beyond, -1.0, 1.0)
