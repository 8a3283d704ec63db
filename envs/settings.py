"""The settings that define an environment; they are stored with demonstrations and checked before training."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from trailkit.envs.checked import check_names, check_types
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


class Appearance(StrEnum):
    """What can look different while the dynamics stay the same; see `trailkit.envs.appearance`."""

    ARM_COLOUR = "arm_colour"  # of the arm and hand
    TABLE_COLOUR = "table_colour"  # of the table and the floor
    LIGHT = "light"  # dimmer, and from the opposite side
    CAMERA_POSE = "camera_pose"  # of the cameras fixed in the world: 2 cm to the right, and rolled by 4 degrees


class Distraction(StrEnum):
    """What can look different from episode to episode; see `trailkit.envs.distraction`."""

    COLOURS = "colours"  # of all geoms
    BACKGROUND = "background"  # a moving pattern instead of the sky and infinite planes
    CAMERA = "camera"  # the direction of the cameras fixed in the world
    OBJECTS = "objects"  # extra objects, visible only


@dataclass(frozen=True)
class ObservationSettings:
    """What an agent observes: images of some cameras, with or without the robot's own state."""

    cameras: tuple[str, ...] = (CameraName.FRONT.value,)
    height: int = 64  # pixels
    width: int = 64  # pixels
    proprioception: bool = True

    def __post_init__(self) -> None:
        if len(set(self.cameras)) != len(self.cameras):
            raise UserError(f"cameras names one twice: {', '.join(self.cameras)}; name each once")
        if self.cameras and not (16 <= self.height <= 1024 and 16 <= self.width <= 1024):
            raise UserError(f"image size {self.height}x{self.width}: height and width must lie within 16 and 1024")
        if not self.cameras and not self.proprioception:
            raise UserError("an observation must hold a camera or proprioception: both are switched off")


class Origin(StrEnum):
    """The origins of external environments."""

    GYMNASIUM = "gymnasium"  # any id that Gymnasium knows
    GYMNASIUM_ROBOTICS = "gymnasium_robotics"  # the Fetch arm, the Shadow hand and others
    DM_CONTROL = "dm_control"  # the control suite's tasks and those of dm_control.manipulation, as DOMAIN/TASK
    METAWORLD = "metaworld"


@dataclass(frozen=True)
class External:
    """The settings of an external environment."""

    origin: Origin
    kwargs: Mapping[str, Any] = field(default_factory=dict)  # JSON values, passed to its constructor
    proprio: Mapping[str, str] = field(default_factory=dict)  # parts of its observation; see `external.proprio`
    success: str = "info"  # where success is read; see `external.success`
    sparse_reward: bool = False  # reward 1 if the task is solved, else 0, instead of the environment's own
    action_repeat: int = 1  # steps of the environment per step of ours

    def __post_init__(self) -> None:
        if self.action_repeat < 1:
            raise UserError(f"action_repeat is {self.action_repeat}: an action is taken at least once")
        try:
            json.dumps(dict(self.kwargs))
        except TypeError as error:
            raise UserError(f"env.kwargs can hold numbers, names, lists and mappings only: {error}") from error


@dataclass(frozen=True)
class EnvSettings:
    """Everything needed to make an environment again."""

    task: str = "lift"
    action_space: ActionSpace = ActionSpace.CARTESIAN
    observation: ObservationSettings = field(default_factory=ObservationSettings)
    episode_steps: int = 200  # control steps until the time limit
    appearance: tuple[str, ...] = ()  # fixed changes of the look; see `Appearance`
    external: External | None = None  # set for an environment that is not trailkit's own
    distract: tuple[str, ...] = ()  # changes of the look in each episode; see `Distraction`

    def __post_init__(self) -> None:
        if self.external is None:  # external environments have their own cameras
            for camera in self.observation.cameras:
                if camera not in list(CameraName):
                    raise unknown("camera", camera, list(CameraName))
        check_names("appearance", self.appearance, list(Appearance))
        check_names("distract", self.distract, list(Distraction))
        if self.episode_steps < 1:
            raise UserError(f"episode_steps is {self.episode_steps}: an episode has at least one step")

    def looking_as(self, other: "EnvSettings") -> "EnvSettings":
        """These settings with all purely visual ones taken from another's."""
        return replace(self, appearance=other.appearance, distract=other.distract)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        observation = {**asdict(self.observation), "cameras": list(map(str, self.observation.cameras))}
        return {
            **asdict(self),
            "action_space": self.action_space.value,
            "observation": observation,
            "appearance": list(map(str, self.appearance)),
            "distract": list(map(str, self.distract)),
            "external": None if self.external is None else _plain(self.external),
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """The settings from what `to_dict` returned.

        Raises:
            UserError: If a key is missing or unknown, or a value has the wrong type.
        """
        template = cls().to_dict()
        external = None
        if isinstance(values, dict):  # older files lack these keys
            values = {"appearance": [], "distract": [], **values}
            external = _external(values.pop("external", None))
        del template["external"]
        checked = check_types(values, template, "environment settings")
        observation = check_types(checked["observation"], template["observation"], "observation settings")
        if not all(isinstance(camera, str) for camera in observation["cameras"]):
            raise UserError(f"cameras are {observation['cameras']!r}: expected names")
        for looks in ("appearance", "distract"):
            if not all(isinstance(each, str) for each in checked[looks]):
                raise UserError(f"{looks} is {checked[looks]!r}: expected names")
        if checked["action_space"] not in list(ActionSpace):
            raise unknown("action space", checked["action_space"], list(ActionSpace))
        return cls(
            task=checked["task"],
            action_space=ActionSpace(checked["action_space"]),
            observation=ObservationSettings(**{**observation, "cameras": tuple(observation["cameras"])}),
            episode_steps=checked["episode_steps"],
            appearance=tuple(checked["appearance"]),
            external=external,
            distract=tuple(checked["distract"]),
        )


def _plain(external: External) -> dict[str, Any]:
    return {
        **asdict(external),
        "origin": external.origin.value,
        "kwargs": dict(external.kwargs),
        "proprio": dict(external.proprio),
    }


def _external(values: object) -> External | None:
    if values is None:
        return None
    checked = check_types(values, _plain(External(Origin.GYMNASIUM)), "settings of an external environment")
    if checked["origin"] not in list(Origin):
        raise unknown("origin of an environment", checked["origin"], list(Origin))
    if not all(isinstance(part, str) for part in checked["proprio"].values()):
        raise UserError(f"proprio is {checked['proprio']!r}: expected parts of an observation by name")
    return External(**{**checked, "origin": Origin(checked["origin"])})
