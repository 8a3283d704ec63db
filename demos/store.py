"""The store of demonstrations: a folder with one HDF5 file per episode, and a manifest.

When `append` returns, the episode is completely on disk. The manifest is written after the file: anything it
misses, because the process was killed in between, is read from the files when the store is opened next.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from trailkit.demos.folder import EPISODE, episode_name, locked, recording_into, set_aside
from trailkit.demos.manifest import NAME, Manifest, Row, current_versions
from trailkit.demos.match import check_fits, differences
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.make import signature
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode import Episode
from trailkit.replay.episode_file import decode_episode, write_episode

_SIMULATORS = ("mujoco", "dm-control")
_log = logging.getLogger(__name__)


class DemoStore:
    """Demonstrations of one environment. Several processes, each with its own seed, may append to one folder."""

    def __init__(self, path: Path, manifest: Manifest, source: Mapping[str, Any]) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.manifest = manifest
        self.source = dict(source)  # of the current recording; the manifest has that of the first one
        self._made = False  # whether the folder was made by this store

    @classmethod
    def create(cls, path: str | Path, settings: EnvSettings, source: Mapping[str, Any]) -> Self:
        """Makes a store to record into, or continues one with the same settings.

        Args:
            path: The folder, which is created if it does not exist.
            settings: The settings of the environment.
            source: What records the demonstrations, as JSON values: {"device": "scripted", …}.

        Raises:
            UserError: If the folder holds anything else, or cannot be created.
        """
        path = Path(path)
        with recording_into(path):
            path.mkdir(parents=True, exist_ok=True)
            if (path / NAME).exists():
                store = cls(path, _load(path), source)
                if found := store._differences(settings):
                    raise UserError(f"{path} holds other demonstrations ({found}): record into another folder")
                return store
            names = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
            if any(map(EPISODE.fullmatch, names)):
                raise UserError(f"{path} has lost its {NAME}: trailkit demos repair {path} writes it anew")
            if names:
                raise UserError(f"{path} is no folder of demonstrations and not empty: record into another folder")
            store = cls(path, Manifest.new(settings, source), source)
            store.manifest.save(path)
            store._made = True
        return store

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Opens a store for reading; nothing is written.

        Raises:
            UserError: If there is none, if it is empty, or if a file that is missing in the manifest is damaged.
        """
        path = Path(path)
        manifest = _load(path)
        if not manifest.episodes:
            raise UserError(f"{path} holds no demonstrations yet: record some with trailkit record out={path}")
        return cls(path, manifest, manifest.source)

    @property
    def settings(self) -> EnvSettings:
        """The settings of the environment."""
        return self.manifest.settings

    def __len__(self) -> int:
        """How many episodes there are."""
        return len(self.manifest.episodes)

    def read(self, index: int) -> Episode:
        """Reads one episode.

        Raises:
            UserError: If its file is damaged, or belongs to another environment; names the file.
        """
        return _read(self.path / self.manifest.episodes[index].file, self.settings)

    def episodes(self, start: int = 0, stop: int | None = None) -> Iterator[Episode]:
        """Reads episodes one by one, all or a range; see `read`."""
        for index in range(len(self))[start:stop]:
            yield self.read(index)

    def append(self, episode: Episode) -> Path:
        """Adds an episode, which is on disk when this returns.

        Raises:
            UserError: If it belongs to another environment, or cannot be written, for instance because the disk is
                full; earlier episodes are intact.
        """
        check_fits(episode, self.settings)
        with recording_into(self.path), locked(self.path):
            self.manifest = _load(self.path)  # others may have appended
            path = self.path / episode_name(self._next_number())
            try:
                write_episode(path, episode)
            except (UserError, OSError) as error:
                raise UserError(f"{error}; the {len(self)} episodes before it are safe") from error
            self.manifest = replace(self.manifest, episodes=(*self.manifest.episodes, Row.of(path, episode)))
            try:
                self.manifest.save(self.path)
            except UserError as error:  # appending the episode again after an error would store it twice
                _log.warning("%s; %s is safe, and the next one will bring the manifest up to date", error, path.name)
        return path

    def count(self) -> int:
        """The current number of episodes, including those that others appended or removed.

        Raises:
            UserError: If the folder is gone, or a file that is missing in the manifest is damaged.
        """
        with recording_into(self.path), locked(self.path):
            self.manifest = _load(self.path)
        return len(self)

    def abandon(self) -> None:
        """Removes the folder that `create` made for a recording without any episodes.

        A folder that existed before, or that contains anything by now, is kept.
        """
        if not self._made or not self.path.is_dir():
            return
        with locked(self.path):
            if [entry.name for entry in self.path.iterdir()] == [NAME]:
                (self.path / NAME).unlink()
                self.path.rmdir()

    def remove(self, name: str) -> Path:
        """Removes an episode from the demonstrations; its file is moved to the subfolder `removed/`.

        Args:
            name: The name of the file.

        Returns:
            The new path of the file.

        Raises:
            UserError: If there is no such episode.
        """
        with recording_into(self.path), locked(self.path):
            self.manifest = _load(self.path)
            rows = tuple(row for row in self.manifest.episodes if row.file != name)
            if len(rows) == len(self):
                raise unknown("episode", name, (row.file for row in self.manifest.episodes))
            aside = set_aside(self.path / name, "removed")
            self.manifest = replace(self.manifest, episodes=rows)
            self.manifest.save(self.path)
        return aside

    def check(self, settings: EnvSettings) -> None:
        """Checks that demonstrations can be learned from in an environment.

        Their look may differ: learning from such demonstrations is the purpose of TRAIL. Another version of the
        simulator only causes a warning in the log.

        Raises:
            UserError: If they belong to another environment; lists the differences and says what to do.
        """
        if found := self._differences(settings.looking_as(self.settings)):
            raise UserError(
                f"the demonstrations in {self.path} are of another environment: {found}; "
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
        """How the demonstrations' environment differs from another, in words; empty if they are equal."""
        return differences(self.settings, settings, self.manifest.control_timestep)

    def _next_number(self) -> int:
        names = (EPISODE.fullmatch(row.file) for row in self.manifest.episodes)
        return 1 + max((int(name[1]) for name in names if name), default=-1)


def _load(folder: Path) -> Manifest:
    """Reads a folder's manifest and updates it from the files."""
    manifest = Manifest.load(folder)
    known = {row.file: row for row in manifest.episodes}
    rows = []
    for path in sorted(each for each in folder.iterdir() if EPISODE.fullmatch(each.name)):
        row = known.pop(path.name, None)
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # someone has just removed it
            continue
        if row is None or row.size != size:
            row = Row.of(path, _read(path, manifest.settings))
        rows.append(row)
    if known:
        _log.warning("%s: %s are gone, the other demonstrations are used", folder, ", ".join(sorted(known)))
    return replace(manifest, episodes=tuple(rows))


def read_file(path: Path, settings: EnvSettings | None) -> Episode:
    """Reads an episode's file; it may be of any environment if no settings are given.

    Raises:
        UserError: If it is damaged, or belongs to another environment; the message continues the file's name.
    """
    try:
        episode = decode_episode(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}") from error
    try:
        if settings is not None:
            check_fits(episode, settings)
    except UserError as error:
        raise UserError(f"does not belong to these demonstrations: {error}") from error
    return episode


def _read(path: Path, settings: EnvSettings) -> Episode:
    signature(settings)  # an environment that cannot be made is not the episode's fault
    try:
        return read_file(path, settings)
    except UserError as error:
        raise UserError(f"{path} {error}; trailkit demos repair {path.parent} moves it aside") from error
