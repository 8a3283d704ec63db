"""Checks which environment demonstrations belong to: from an episode's metadata, and by comparing settings."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trailkit.envs.errors import UserError
from trailkit.envs.make import signature
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode import Episode

ENVIRONMENT = "environment"  # in an episode's metadata: the settings it was recorded with


def differences(
    theirs: EnvSettings,
    ours: EnvSettings,
    their_timestep: float | None = None,
    our_timestep: float | None = None,
) -> str:
    """How one environment differs from another, in words; empty if they are equal.

    Time steps are in seconds; by default they are those of the environments.
    """
    recorded = _describe(theirs, their_timestep or signature(theirs).control_timestep)
    wanted = _describe(ours, our_timestep or signature(ours).control_timestep)
    both = ((what, recorded.get(what), wanted.get(what)) for what in recorded | wanted)
    return ", ".join(f"{what} is {their}, not {our}" for what, their, our in both if their != our)


def check_fits(episode: Episode, settings: EnvSettings) -> None:
    """Checks that an episode belongs to an environment: the settings in its metadata, if any, and all shapes.

    Raises:
        UserError: If it does not; lists the differences.
    """
    told = episode.metadata.get(ENVIRONMENT, settings.to_dict())
    if found := differences(EnvSettings.from_dict(told), settings):
        raise UserError(f"an episode was recorded in another environment: {found}")
    observation = settings.observation
    expected = {camera: (observation.height, observation.width, 3) for camera in observation.cameras}
    shapes = {name: images.shape[1:] for name, images in episode.observation.items() if name != "proprio"}
    if shapes != expected:
        raise UserError(f"an episode has the cameras {shapes}, expected {expected}")
    if ("proprio" in episode.observation) != observation.proprioception:
        raise UserError(f"an episode's proprioception is wrong: expected {observation.proprioception}")
    ours = signature(settings)
    if observation.proprioception and (size := episode.observation["proprio"].shape[1]) != ours.proprio_size:
        raise UserError(f"an episode has {size} numbers of proprioception, expected {ours.proprio_size}")
    if (size := episode.action.shape[1]) != ours.action_size:
        raise UserError(f"an episode has {size}-dimensional actions, expected {ours.action_size}")
    if episode.length > settings.episode_steps:
        raise UserError(f"an episode has {episode.length} steps, expected {settings.episode_steps} at most")


def _describe(settings: EnvSettings, timestep: float) -> dict[str, str]:
    """What must be equal for demonstrations and environment, in the words of the configuration."""
    observation = settings.observation
    described = {
        "task": settings.task,
        "action_space": settings.action_space.value,
        "cameras": f"[{', '.join(observation.cameras)}]",
        "proprioception": str(observation.proprioception).lower(),
        "episode_steps": str(settings.episode_steps),
        "appearance": f"[{', '.join(sorted(settings.appearance))}]",
        "distract": f"[{', '.join(sorted(settings.distract))}]",
    }
    if settings.external is not None:
        described |= {key: str(value) for key, value in asdict(settings.external).items()}
        described["kwargs"] = json.dumps(_plain(settings.external.kwargs), sort_keys=True, default=str)
    if observation.cameras:
        described["image size (height x width)"] = f"{observation.height}x{observation.width}"
    return {**described, "control rate": f"{1 / timestep:g} Hz"}


def _plain(value: Any) -> Any:
    """A value in a canonical JSON form: 1.0 becomes 1, and a tuple a list."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
