"""Verifying a folder of demonstrations: what in it is not as it was written, and why."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from trailkit.demos.folder import EPISODE, locked
from trailkit.demos.manifest import NAME, Manifest, Row
from trailkit.demos.match import ENVIRONMENT, differences
from trailkit.demos.store import read_file
from trailkit.demos.track import Track, untracked
from trailkit.demos.trial import deadly
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode_file import decode_metadata
from trailkit.replay.seal import is_unsealed


class Fault(NamedTuple):
    """A file that is damaged, foreign, or gone."""

    file: str  # its name
    reason: str  # in words that follow the name


class Snapshot(NamedTuple):
    """What is in a folder at a moment at which no recorder writes to it."""

    folder: Path
    paths: tuple[Path, ...]
    manifest: Manifest | None
    complaint: str | None  # what is wrong with the manifest, if it is None

    @classmethod
    def take(cls, folder: Path) -> "Snapshot":
        """Lists a folder and reads its manifest; the folder must be locked."""
        paths = tuple(sorted(folder.iterdir()))
        try:
            return cls(folder, paths, Manifest.load(folder), None)
        except UserError as error:
            missing = not (folder / NAME).exists()
            return cls(folder, paths, None, "is missing" if missing else str(error).removeprefix(f"{folder / NAME} "))


class Findings(NamedTuple):
    """What became of looking at every file."""

    faults: tuple[Fault, ...]  # in the order of their names
    manifest: Manifest | None  # as it ought to be; None if nothing tells the environment


def verify(folder: str | Path, track: Track = untracked) -> tuple[Fault, ...]:
    """Names each file in a folder of demonstrations that is damaged or foreign, and each that is gone.

    Nothing is written; recorders wait meanwhile. Episodes are checked against the seal that they were written under
    before HDF5 opens them; those of earlier versions, which have no seal, are checked so far as HDF5 notices damage,
    in another process first. `track` shows how far it is, twice: a first look finds the environment.

    Raises:
        UserError: If there is no such folder, or it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name a folder of demonstrations")
    try:
        with locked(folder):
            return inspect(Snapshot.take(folder), track).faults
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}") from error


def inspect(snapshot: Snapshot, track: Track = untracked) -> Findings:
    """Looks at every file of a snapshot, and works out what the manifest ought to say."""
    episodes = [path for path in snapshot.paths if _is_episode(path)]
    shunned = deadly([path for path in episodes if _is_unsealed(path)])
    told = dict(_metadata(path) for path in track(episodes, len(episodes)) if path not in shunned)
    settings = _settings(snapshot.manifest, told)
    rows, faults = [], []
    for path in track(snapshot.paths, len(snapshot.paths)):
        try:
            if path in shunned:
                raise UserError("is damaged: HDF5 hangs or crashes on it")
            rows += _rows(path, settings)
        except UserError as error:
            faults.append(Fault(path.name, str(error)))
    manifest = _up_to_date(snapshot, settings, rows, told)
    complaint = snapshot.complaint or _staleness(snapshot.manifest, manifest)
    if complaint:
        faults.append(Fault(NAME, complaint))
    if snapshot.manifest is not None:
        names = {path.name for path in snapshot.paths}
        gone = (row.file for row in snapshot.manifest.episodes if row.file not in names)
        faults += [Fault(name, "is gone: the manifest lists it") for name in gone]
    return Findings(tuple(sorted(faults)), manifest)


def _is_episode(path: Path) -> bool:
    return EPISODE.fullmatch(path.name) is not None and path.is_file()


def _is_unsealed(path: Path) -> bool:
    try:
        return is_unsealed(path)
    except OSError:  # such a file is named when it is read
        return False


def _metadata(path: Path) -> tuple[str, dict[str, Any]]:
    """A file's name, and what it tells of itself: nothing, if it is damaged."""
    try:
        return path.name, decode_metadata(path.read_bytes())
    except (UserError, OSError):
        return path.name, {}


def _settings(manifest: Manifest | None, told: dict[str, dict[str, Any]]) -> EnvSettings | None:
    """The environment of a folder: the manifest's, unless that is not one of those that its episodes tell of."""
    votes: Counter[str] = Counter()
    for metadata in told.values():
        if ENVIRONMENT in metadata:
            try:
                votes[_key(EnvSettings.from_dict(metadata[ENVIRONMENT]))] += 1
            except UserError:
                continue  # such a file is named when it is read
    if manifest is not None and (not votes or _key(manifest.settings) in votes):
        return manifest.settings
    return EnvSettings.from_dict(json.loads(votes.most_common(1)[0][0])) if votes else None


def _key(settings: EnvSettings) -> str:
    """What stands for settings where they are counted: those of others' environments hold dicts, which have no hash."""
    return json.dumps(settings.to_dict(), sort_keys=True)


def _rows(path: Path, settings: EnvSettings | None) -> list[Row]:
    """The row of an episode's file; none for what is of no concern.

    Raises:
        UserError: If the file is damaged or foreign; says why in words that follow its name.
    """
    if path.name.startswith(".") and path.suffix == ".partial":
        raise UserError("was left by a recorder that was killed")
    if EPISODE.fullmatch(path.name):
        if not path.is_file():
            raise UserError("is no file: its name is that of an episode")
        return [Row.of(path, read_file(path, settings))]
    if path.name == NAME or path.name.startswith(".") or path.is_dir():
        return []
    raise UserError("is foreign: only episode_000000.hdf5, episode_000001.hdf5, … and manifest.json belong here")


def _up_to_date(
    snapshot: Snapshot, settings: EnvSettings | None, rows: list[Row], told: dict[str, dict[str, Any]]
) -> Manifest | None:
    """The manifest that the files of a folder ought to have."""
    manifest = snapshot.manifest
    if manifest is not None and manifest.settings == settings:
        return replace(manifest, episodes=tuple(rows))
    if settings is None:
        return None
    created = min((path.stat().st_mtime for path in snapshot.paths if path.name in told), default=0.0)
    return Manifest.recovered(settings, rows, told[rows[0].file] if rows else {}, created)


def _staleness(manifest: Manifest | None, fresh: Manifest | None) -> str | None:
    """What a manifest says that is no longer so, in words; None if all that it says of the files is true."""
    if manifest is None or fresh is None:
        return None
    if found := differences(manifest.settings, fresh.settings):
        return f"is of another environment than the episodes: {found}"
    listed = {row.file: row for row in manifest.episodes}
    missed = [row.file for row in fresh.episodes if row.file not in listed]
    untrue = [row.file for row in fresh.episodes if listed.get(row.file, row) != row]
    parts = [f"does not list {', '.join(missed)}"] * bool(missed)
    parts += [f"says otherwise than the file of {', '.join(untrue)}"] * bool(untrue)
    return f"is out of date: it {' and '.join(parts)}" if parts else None
