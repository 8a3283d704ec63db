"""What a person commands: how the hand moves and turns, the gripper, and buttons that decide about an episode."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Button(StrEnum):
    """What a person can decide about the episode that is being recorded."""

    KEEP = "keep"  # end the episode and store it
    DISCARD = "discard"  # discard it; the next one starts elsewhere
    RERECORD = "rerecord"  # discard it; the next one starts in the same place
    STOP = "stop"  # end the recording


class Command(NamedTuple):
    """A device's state at one moment."""

    axes: NDArray[np.float32]  # [3] in [-1, 1]: right, away from the front camera, up
    grip: float = 0.0  # in [-1, 1]: 1 closes the fingers at full speed, -1 opens them
    turn: NDArray[np.float32] = np.zeros(3, np.float32)  # [3] in [-1, 1]: about the same axes, by the right-hand rule
    button: Button | None = None
    connected: bool = True  # False while nobody is present: the arm must hold still


STILL = Command(np.zeros(3, np.float32))
