"""The manifest of a folder of demonstrations: their environment, how they were recorded, and a row for each."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self, get_origin

from trailkit.demos.match import ENVIRONMENT
from trailkit.envs.errors import UserError
from trailkit.envs.make import signature
from trailkit.envs.settings import EnvSettings
from trailkit.replay.atomic import written_aside
from trailkit.replay.episode import Episode

NAME = "manifest.json"
VERSIONS = "versions"  # in an episode's metadata, like the next ones
SEED = "recording_seed"
INDEX = "index"
CONTROL = "control_timestep"  # seconds
_FORMAT = "trailkit demonstrations 1"
_SAID_ONCE = (ENVIRONMENT, CONTROL)
_HOW_RECORDED = (VERSIONS, SEED, INDEX, "end", "name", *_SAID_ONCE)
_SEAL = "sha256"  # of everything else in the manifest; those of earlier versions have none
_SEAL_LINE = f',\n "{_SEAL}": "'
_REMEDY = "trailkit demos repair writes it anew from the episodes"
_PACKAGES = ("trailkit", "mujoco", "dm-control", "numpy")


@dataclass(frozen=True)
class Row:
    """What the manifest stores about one episode."""

    file: str
    size: int  # bytes
    length: int  # steps
    success: bool  # whether the task was ever solved
    episode_return: float
    metadata: dict[str, Any]  # the episode's own, without what the manifest stores once for all

    def __post_init__(self) -> None:
        _check_types(self)

    @classmethod
    def of(cls, path: Path, episode: Episode) -> Self:
        """Describes the episode in a file."""
        return cls(
            file=path.name,
            size=path.stat().st_size,
            length=episode.length,
            success=bool(episode.success.any()),
            episode_return=float(episode.reward.sum()),
            metadata={key: value for key, value in episode.metadata.items() if key not in _SAID_ONCE},
        )


@dataclass(frozen=True)
class Manifest:
    """Everything that a reader needs to know before it opens an episode."""

    settings: EnvSettings
    control_timestep: float  # seconds
    versions: dict[str, str]
    source: dict[str, Any]  # the device and its settings, in the first recording
    created: str  # ISO 8601, UTC
    episodes: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        _check_types(self)
        if self.control_timestep <= 0:
            raise TypeError(f"{CONTROL} is {self.control_timestep}")

    @classmethod
    def new(cls, settings: EnvSettings, source: Mapping[str, Any]) -> Self:
        """The manifest of an empty store, with the current versions and time."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(settings, signature(settings).control_timestep, current_versions(), dict(source), created)

    @classmethod
    def recovered(cls, settings: EnvSettings, rows: Sequence[Row], metadata: Mapping[str, Any], created: float) -> Self:
        """A new manifest for episodes whose manifest was lost.

        Args:
            settings: The settings of their environment.
            rows: The rows of the episodes.
            metadata: The metadata of the first episode.
            created: When the first episode was recorded, in seconds since 1970.
        """
        versions, control = metadata.get(VERSIONS), metadata.get(CONTROL)
        return cls(
            settings,
            control if isinstance(control, float) and control > 0 else signature(settings).control_timestep,
            versions if isinstance(versions, dict) else current_versions(),
            source_of(metadata),
            datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds"),
            tuple(rows),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads the manifest in a folder.

        Raises:
            UserError: If the folder or the manifest is missing, or the manifest is damaged or in another format.
        """
        path = folder / NAME
        if not folder.is_dir():
            problem = "is a file" if folder.exists() else "does not exist"
            raise UserError(f"{folder} {problem}: expected a folder of demonstrations, see trailkit record")
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file: move it away")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} has no {NAME}: it is not a folder that trailkit record wrote, or trailkit demos repair "
                "can write it anew"
            ) from error
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}): {_REMEDY}") from error
        try:
            return cls._parse(text)
        except UserError as error:
            raise UserError(f"{path} {error}") from error

    @classmethod
    def _parse(cls, text: str) -> Self:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"is damaged, it is not JSON: {_REMEDY}") from error
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise UserError(f"is not of the format {_FORMAT!r}: record anew, or use the version that wrote it")
        unsealed = text.rpartition(_SEAL_LINE)[0] + "\n}"
        if values.pop(_SEAL, None) is not None and _sealed(unsealed) != text:
            raise UserError(f"is damaged, its SHA-256 differs: {_REMEDY}")
        expected = {"format", *(field.name for field in fields(cls))}
        if set(values) != expected:
            differing = ", ".join(sorted(set(values) ^ expected))
            raise UserError(f"has missing or unknown keys: {differing}; {_REMEDY}")
        rest = {key: value for key, value in values.items() if key not in ("format", "settings", "episodes")}
        try:
            settings = EnvSettings.from_dict(values["settings"])
            return cls(settings, episodes=tuple(Row(**row) for row in values["episodes"]), **rest)
        except (TypeError, UserError) as error:
            raise UserError(f"makes no sense ({error}): {_REMEDY}") from error

    def save(self, folder: Path) -> None:
        """Replaces the manifest in a folder by this one; after a power cut, one of the two is there and complete."""
        values = {"format": _FORMAT, **vars(self), "settings": self.settings.to_dict()}
        rows = ",\n  ".join(json.dumps(vars(row)) for row in values.pop("episodes"))  # one line each
        text = f'{json.dumps(values, indent=1)[:-2]},\n "episodes": [\n  {rows}\n ]\n}}'
        with written_aside(folder / NAME) as aside:
            aside.write_text(_sealed(text), encoding="utf-8")


def source_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an episode's metadata that says what recorded it."""
    return {key: value for key, value in metadata.items() if key not in _HOW_RECORDED}


def _sealed(text: str) -> str:
    """The text of a manifest with its own SHA-256 as the last key."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-2]}{_SEAL_LINE}{digest}"\n}}'


def _check_types(record: "Row | Manifest") -> None:
    """Raises a TypeError if a value is not of the type of its field."""
    for field in fields(record):
        wanted = get_origin(field.type) or field.type
        if (found := type(getattr(record, field.name))) is not wanted:
            raise TypeError(f"{field.name} is of type {found.__name__}")


def current_versions() -> dict[str, str]:
    """The current versions of everything that affects demonstrations."""
    return {**{name: metadata.version(name) for name in _PACKAGES}, "python": platform.python_version()}
