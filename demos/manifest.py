"""The manifest of a folder of demonstrations: what they were recorded in, with what, and a row for each."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from trailkit.envs.errors import UserError
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings
from trailkit.replay.atomic import written_aside
from trailkit.replay.episode import Episode

NAME = "manifest.json"
_FORMAT = "trailkit demonstrations 1"
_PACKAGES = ("trailkit", "mujoco", "dm-control", "numpy")


@dataclass(frozen=True)
class Row:
    """What the manifest says of one episode."""

    file: str
    size: int  # bytes
    length: int  # steps
    success: bool  # whether the task was ever solved
    episode_return: float
    metadata: dict[str, Any]  # the episode's own

    @classmethod
    def of(cls, path: Path, episode: Episode) -> Self:
        """Describes the episode that a file holds."""
        return cls(
            file=path.name,
            size=path.stat().st_size,
            length=episode.length,
            success=bool(episode.success.any()),
            episode_return=float(episode.reward.sum()),
            metadata=episode.metadata,
        )


@dataclass(frozen=True)
class Manifest:
    """All that a reader needs to know before it opens an episode."""

    settings: EnvSettings
    control_timestep: float  # seconds
    versions: dict[str, str]
    source: dict[str, Any]  # the device and its settings, of the first recording
    created: str  # ISO 8601, UTC
    episodes: tuple[Row, ...] = ()

    @classmethod
    def new(cls, settings: EnvSettings, source: Mapping[str, Any]) -> Self:
        """The manifest of a store that is yet to be filled, by this version on this day."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(settings, CONTROL_TIMESTEP, current_versions(), dict(source), created)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads the manifest in a folder.

        Raises:
            UserError: If the folder or the manifest is missing, or the manifest is damaged or of another format.
        """
        path = folder / NAME
        if not folder.is_dir():
            problem = "is a file" if folder.exists() else "does not exist"
            raise UserError(f"{folder} {problem}: expected a folder of demonstrations, see trailkit record")
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise UserError(f"{folder} has no {NAME}: it is not a folder that trailkit record wrote") from error
        except ValueError as error:
            raise UserError(f"{path} is damaged, it is not JSON: restore it from a copy or record anew") from error
        try:
            return cls._parse(values)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    @classmethod
    def _parse(cls, values: Any) -> Self:
        expected = {"format", *(field.name for field in fields(cls))}
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise UserError(f"not of the format {_FORMAT!r}: record anew, or use the version that wrote it")
        if set(values) != expected:
            differing = ", ".join(sorted(set(values) ^ expected))
            raise UserError(f"these keys are missing or unknown: {differing}; restore it from a copy or record anew")
        rest = {key: value for key, value in values.items() if key not in ("format", "settings", "episodes")}
        try:
            rows = tuple(Row(**row) for row in values["episodes"])
        except TypeError as error:
            raise UserError("its rows of episodes are damaged: restore it from a copy or record anew") from error
        return cls(EnvSettings.from_dict(values["settings"]), episodes=rows, **rest)

    def save(self, folder: Path) -> None:
        """Replaces the manifest in a folder by this one; after a power cut one of the two is there, whole."""
        values = {"format": _FORMAT, **asdict(self), "settings": self.settings.to_dict()}
        with written_aside(folder / NAME) as aside:
            aside.write_text(json.dumps(values, indent=1))


def current_versions() -> dict[str, str]:
    """The versions, here and now, of what makes demonstrations what they are."""
    return {**{name: metadata.version(name) for name in _PACKAGES}, "python": platform.python_version()}
