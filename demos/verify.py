"""Verifies a folder of demonstrations: which files differ from what was written, and why."""

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
    reason: str  # worded to follow the name


class Snapshot(NamedTuple):
    """The contents of a folder at a moment when no recorder writes to it."""

    folder: Path
    paths: tuple[Path, ...]
    manifest: Manifest | None
    complaint: str | None  # what is wrong with the manifest, if it could not be read

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
    """The result of checking every file."""

    faults: tuple[Fault, ...]  # sorted by file name
    manifest: Manifest | None  # as it should be; None if nothing tells the environment


def verify(folder: str | Path, track: Track = untracked) -> tuple[Fault, ...]:
    """Lists the files in a folder of demonstrations that are damaged, foreign or missing.

    Nothing is written; recorders wait meanwhile. Episodes are checked against their seal before HDF5 opens them;
    those of earlier versions, which have no seal, are checked as far as HDF5 notices damage, in another process first.
    `track` shows the progress, twice: a first pass finds the environment.

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
    """Checks every file of a snapshot, and derives what the manifest should contain."""
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
    except OSError:  # such a file is reported when it is read
        return False


def _metadata(path: Path) -> tuple[str, dict[str, Any]]:
    """A file's name and its metadata, empty if the file is damaged."""
    try:
        return path.name, decode_metadata(path.read_bytes())
    except (UserError, OSError):
        return path.name, {}


def _settings(manifest: Manifest | None, told: dict[str, dict[str, Any]]) -> EnvSettings | None:
    """The environment of a folder: the manifest's, unless it is none of those in its episodes' metadata."""
    votes: Counter[str] = Counter()
    for metadata in told.values():
        if ENVIRONMENT in metadata:
            try:
                votes[_key(EnvSettings.from_dict(metadata[ENVIRONMENT]))] += 1
            except UserError:
                continue  # such a file is reported when it is read
    if manifest is not None and (not votes or _key(manifest.settings) in votes):
        return manifest.settings
    return EnvSettings.from_dict(json.loads(votes.most_common(1)[0][0])) if votes else None


def _key(settings: EnvSettings) -> str:
    """A key that represents settings when counting them: external settings contain dicts, which are not hashable."""
    return json.dumps(settings.to_dict(), sort_keys=True)


def _rows(path: Path, settings: EnvSettings | None) -> list[Row]:
    """The row of an episode's file; none for files that do not matter.

    Raises:
        UserError: If the file is damaged or foreign; the message continues its name.
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
    """The manifest that matches the files of a folder."""
    manifest = snapshot.manifest
    if manifest is not None and manifest.settings == settings:
        return replace(manifest, episodes=tuple(rows))
    if settings is None:
        return None
    created = min((path.stat().st_mtime for path in snapshot.paths if path.name in told), default=0.0)
    return Manifest.recovered(settings, rows, told[rows[0].file] if rows else {}, created)


def _staleness(manifest: Manifest | None, fresh: Manifest | None) -> str | None:
    """What in a manifest is out of date, in words; None if it matches the files."""
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
