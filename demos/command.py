"""What a person commands: a velocity of the hand, the gripper, and buttons that say what becomes of an episode."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Button(StrEnum):
    """What a person can decide about the episode that is being recorded."""

    KEEP = "keep"  # it ends here, and is stored
    DISCARD = "discard"  # it is forgotten; the next begins elsewhere
    RERECORD = "rerecord"  # it is forgotten; the next begins in the same place
    STOP = "stop"  # the recording ends


class Command(NamedTuple):
    """What a device says at one moment."""

    axes: NDArray[np.float32]  # [3] in [-1, 1]: right, away from the front camera, up
    grip: float = 0.0  # in [-1, 1]: 1 closes the fingers at full speed, -1 opens them
    button: Button | None = None
    connected: bool = True  # False while nobody is there: the arm must hold still


STILL = Command(np.zeros(3, np.float32))
