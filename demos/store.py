"""The store of demonstrations: a folder with one HDF5 file an episode, and a manifest.

An episode is on the disk, whole, when `append` returns. The manifest follows the files: whatever it missed,
because the process was killed between the two, is read from the files when the store is next opened.
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
    """Demonstrations of one environment. Several processes, each with a seed of its own, may append to one folder."""

    def __init__(self, path: Path, manifest: Manifest, source: Mapping[str, Any]) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.manifest = manifest
        self.source = dict(source)  # of what is recorded now; the manifest names that of the first recording
        self._made = False  # whether the folder was made by this store

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
            except UserError as error:  # whoever appends the episode again, as if it were not there, has it twice
                _log.warning("%s; %s is safe, and the next one will bring the manifest up to date", error, path.name)
        return path

    def count(self) -> int:
        """How many episodes there are now, whoever appended or removed some.

        Raises:
            UserError: If the folder is gone, or a file that the manifest does not know is damaged.
        """
        with recording_into(self.path), locked(self.path):
            self.manifest = _load(self.path)
        return len(self)

    def abandon(self) -> None:
        """Takes back the folder that `create` has made for a recording that came to nothing.

        One that was there before, or in which there is anything by now, stays.
        """
        if not self._made or not self.path.is_dir():
            return
        with locked(self.path):
            if [entry.name for entry in self.path.iterdir()] == [NAME]:
                (self.path / NAME).unlink()
                self.path.rmdir()

    def remove(self, name: str) -> Path:
        """Takes an episode out of the demonstrations; its file stays, in the folder's `removed/`.

        Args:
            name: Of the file.

        Returns:
            Where the file is now.

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
        """Makes sure that demonstrations can be learned from in an environment.

        They may look otherwise: learning from such demonstrations is what TRAIL is for. Another version of the
        simulator is a warning in the log.

        Raises:
            UserError: If they are of another environment; says in what they differ and what to do.
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
        """How the demonstrations' environment differs from another, in words; empty if it does not."""
        return differences(self.settings, settings, self.manifest.control_timestep)

    def _next_number(self) -> int:
        names = (EPISODE.fullmatch(row.file) for row in self.manifest.episodes)
        return 1 + max((int(name[1]) for name in names if name), default=-1)


def _load(folder: Path) -> Manifest:
    """Reads a folder's manifest and brings it up to date with the files."""
    manifest = Manifest.load(folder)
    known = {row.file: row for row in manifest.episodes}
    rows = []
    for path in sorted(each for each in folder.iterdir() if EPISODE.fullmatch(each.name)):
        row = known.pop(path.name, None)
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # a person has just removed it
            continue
        if row is None or row.size != size:
            row = Row.of(path, _read(path, manifest.settings))
        rows.append(row)
    if known:
        _log.warning("%s: %s are gone, the other demonstrations are used", folder, ", ".join(sorted(known)))
    return replace(manifest, episodes=tuple(rows))


def read_file(path: Path, settings: EnvSettings | None) -> Episode:
    """Reads an episode's file, of any environment if no settings are given.

    Raises:
        UserError: If it is damaged, or of another environment; says so in words that follow the file's name.
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
    signature(settings)  # an environment that cannot be made is no fault of the episode's
    try:
        return read_file(path, settings)
    except UserError as error:
        raise UserError(f"{path} {error}; trailkit demos repair {path.parent} moves it aside") from error
