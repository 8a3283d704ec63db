"""The store of demonstrations: a folder with one HDF5 file an episode, and a manifest.

An episode is on the disk, whole, when `append` returns. The manifest follows the files: whatever it missed,
because the process was killed between the two, is read from the files when the store is next opened.
"""

import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from trailkit.demos.manifest import NAME, Manifest, Row, current_versions
from trailkit.envs.actions import make_controller
from trailkit.envs.errors import UserError
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings
from trailkit.replay.episode import Episode, read_episode, write_episode

_NAME = re.compile(r"episode_(\d{6})\.hdf5")
_SIMULATORS = ("mujoco", "dm-control")
_log = logging.getLogger(__name__)


class DemoStore:
    """Demonstrations of one environment. Several processes, each with a seed of its own, may append to one folder."""

    def __init__(self, path: Path, manifest: Manifest, source: Mapping[str, Any]) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.manifest = manifest
        self.source = dict(source)  # of what is recorded now; the manifest names that of the first recording

    @classmethod
    def create(cls, path: str | Path, settings: EnvSettings, source: Mapping[str, Any]) -> Self:
        """Makes a store to record into, or goes on with one of the same settings.

        Args:
            path: The folder, which is made if it does not exist.
            settings: Of the environment.
            source: What makes the demonstrations, as JSON values: {"device": "scripted", …}.

        Raises:
            UserError: If the folder holds anything else, or cannot be made.
        """
        path = Path(path)
        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            if (path / NAME).exists():
                store = cls(path, _load(path), source)
                if differences := store._differences(settings):
                    raise UserError(f"{path} holds other demonstrations ({differences}): record into another folder")
                return store
            if any(not entry.name.startswith(".") for entry in path.iterdir()):
                raise UserError(f"{path} is no folder of demonstrations and not empty: record into another folder")
            manifest = Manifest.new(settings, source)
            manifest.save(path)
        return cls(path, manifest, source)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Opens a store to read; nothing is written.

        Raises:
            UserError: If there is none, if it is empty, or if a file that the manifest does not know is damaged.
        """
        path = Path(path)
        manifest = _load(path)
        if not manifest.episodes:
            raise UserError(f"{path} holds no demonstrations yet: record some with trailkit record out={path}")
        return cls(path, manifest, manifest.source)

    @property
    def settings(self) -> EnvSettings:
        """The environment's."""
        return self.manifest.settings

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self.manifest.episodes)

    def read(self, index: int) -> Episode:
        """Reads one episode.

        Raises:
            UserError: If its file is damaged, or of another environment; names the file.
        """
        return _read(self.path / self.manifest.episodes[index].file, self.settings)

    def episodes(self, start: int = 0, stop: int | None = None) -> Iterator[Episode]:
        """Reads episodes one by one, all or those of a range; see `read`."""
        for index in range(len(self))[start:stop]:
            yield self.read(index)

    def append(self, episode: Episode) -> Path:
        """Adds an episode, which is on the disk when this returns.

        Raises:
            UserError: If it is of another environment, or cannot be written, for instance because the disk is
                full; earlier episodes are intact.
        """
        _check_fits(episode, self.settings)
        with _writing(self.path), _locked(self.path):
            self.manifest = _load(self.path)  # others may have appended
            path = self.path / f"episode_{self._next_number():06d}.hdf5"
            try:
                write_episode(path, episode)
                manifest = replace(self.manifest, episodes=(*self.manifest.episodes, Row.of(path, episode)))
                manifest.save(self.path)
            except (UserError, OSError) as error:
                raise UserError(f"{error}; the {len(self)} episodes before it are safe") from error
            self.manifest = manifest
        return path

    def check(self, settings: EnvSettings) -> None:
        """Makes sure that demonstrations can be learned from in an environment.

        Another version of the simulator is a warning in the log.

        Raises:
            UserError: If they are of another environment; says in what they differ and what to do.
        """
        if differences := self._differences(settings):
            raise UserError(
                f"the demonstrations in {self.path} are of another environment: {differences}; "
                "give the environment their settings, or record others with trailkit record"
            )
        current = current_versions()
        for name in _SIMULATORS:
            if (recorded := self.manifest.versions.get(name)) != current[name]:
                _log.warning(
                    "the demonstrations in %s were recorded with %s %s, this is %s: contacts may differ",
                    *(self.path, name, recorded, current[name]),
                )

    def _differences(self, settings: EnvSettings) -> str:
        """How the demonstrations' environment differs from another, in words; empty if it does not."""
        recorded, wanted = _describe(self.settings), _describe(settings)
        recorded["control rate"] = f"{1 / self.manifest.control_timestep:g} Hz"
        wanted["control rate"] = f"{1 / CONTROL_TIMESTEP:g} Hz"
        both = ((what, recorded.get(what), wanted.get(what)) for what in recorded | wanted)
        return ", ".join(f"{what} is {theirs}, not {ours}" for what, theirs, ours in both if theirs != ours)

    def _next_number(self) -> int:
        names = (_NAME.fullmatch(row.file) for row in self.manifest.episodes)
        return 1 + max((int(name[1]) for name in names if name), default=-1)


def _describe(settings: EnvSettings) -> dict[str, str]:
    """What demonstrations and environment must have in common, each in the words of the configuration."""
    observation = settings.observation
    described = {
        "task": settings.task,
        "action_space": settings.action_space.value,
        "cameras": f"[{', '.join(observation.cameras)}]",
        "proprioception": str(observation.proprioception).lower(),
        "episode_steps": str(settings.episode_steps),
    }
    if observation.cameras:
        described["image size (height x width)"] = f"{observation.height}x{observation.width}"
    return described


def _load(folder: Path) -> Manifest:
    """Reads a folder's manifest and brings it up to date with the files."""
    manifest = Manifest.load(folder)
    known = {row.file: row for row in manifest.episodes}
    rows = []
    for path in sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name)):
        row = known.pop(path.name, None)
        if row is None or row.size != path.stat().st_size:
            row = Row.of(path, _read(path, manifest.settings))
        rows.append(row)
    if known:
        _log.warning("%s: %s are gone, the other demonstrations are used", folder, ", ".join(sorted(known)))
    return replace(manifest, episodes=tuple(rows))


def _read(path: Path, settings: EnvSettings) -> Episode:
    episode = read_episode(path)
    try:
        _check_fits(episode, settings)
    except UserError as error:
        raise UserError(f"{path} does not belong to these demonstrations: {error}") from error
    return episode


def _check_fits(episode: Episode, settings: EnvSettings) -> None:
    """Checks an episode's shapes against the environment's.

    Raises:
        UserError: If they differ; says in what.
    """
    observation = settings.observation
    expected = {camera: (observation.height, observation.width, 3) for camera in observation.cameras}
    found = {name: images.shape[1:] for name, images in episode.observation.items() if name != "proprio"}
    if found != expected:
        raise UserError(f"an episode has the cameras {found}, expected {expected}")
    if ("proprio" in episode.observation) != observation.proprioception:
        raise UserError(f"an episode's proprioception is wrong: expected {observation.proprioception}")
    size = make_controller(settings.action_space).size
    if episode.action.shape[1] != size:
        raise UserError(f"an episode has {episode.action.shape[1]}-dimensional actions, expected {size}")
    if episode.length > settings.episode_steps:
        raise UserError(f"an episode has {episode.length} steps, expected {settings.episode_steps} at most")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write into an error that says so."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot record into {path}: {error.strerror or error}; choose another folder") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other recorders waiting; the system frees the lock when the process ends, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
