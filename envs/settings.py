"""What an environment is, as values: they are written beside demonstrations and checked before training."""

from dataclasses import dataclass, field
from enum import StrEnum

from trailkit.envs.errors import UserError, unknown

CONTROL_TIMESTEP = 0.05  # seconds between actions: 20 Hz, as in the paper (TRAIL, appendix A)


class ActionSpace(StrEnum):
    """What an action means."""

    CARTESIAN = "cartesian"  # velocity of the tool centre point, x y z, and of the gripper: 4-D
    JOINT = "joint"  # velocities of the six arm and three finger joints: 9-D, the paper's


class CameraName(StrEnum):
    """The cameras that every task has."""

    FRONT = "front"
    LEFT = "left"
    RIGHT = "right"
    WRIST = "wrist"


@dataclass(frozen=True)
class ObservationSettings:
    """What an agent observes: pictures of some cameras, and the robot's own state or not."""

    cameras: tuple[str, ...] = (CameraName.FRONT.value,)
    height: int = 64  # pixels
    width: int = 64  # pixels
    proprioception: bool = True

    def __post_init__(self) -> None:
        for camera in self.cameras:
            if camera not in list(CameraName):
                raise unknown("camera", camera, list(CameraName))
        if len(set(self.cameras)) != len(self.cameras):
            raise UserError(f"cameras names one twice: {', '.join(self.cameras)}; name each once")
        if self.cameras and not (16 <= self.height <= 1024 and 16 <= self.width <= 1024):
            raise UserError(f"image size {self.height}x{self.width}: height and width must lie within 16 and 1024")
        if not self.cameras and not self.proprioception:
            raise UserError("an observation must hold a camera or proprioception: both are switched off")


@dataclass(frozen=True)
class EnvSettings:
    """All that is needed to make an environment anew."""

    task: str = "lift"
    action_space: ActionSpace = ActionSpace.CARTESIAN
    observation: ObservationSettings = field(default_factory=ObservationSettings)
    episode_steps: int = 200  # control steps until the time limit

    def __post_init__(self) -> None:
        if self.episode_steps < 1:
            raise UserError(f"episode_steps is {self.episode_steps}: an episode has at least one step")
