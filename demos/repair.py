"""Repairs a folder of demonstrations: moves damaged files aside and rewrites the manifest."""

import os
from pathlib import Path

from trailkit.demos.folder import locked, place_aside, set_aside
from trailkit.demos.manifest import NAME
from trailkit.demos.track import Track, untracked
from trailkit.demos.verify import Fault, Snapshot, inspect
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import sync, writing, written_aside

_ASIDE = "damaged"  # the subfolder for damaged files


def repair(folder: str | Path, track: Track = untracked) -> tuple[Fault, ...]:
    """Moves the files that `verify` reports into the subfolder `damaged/`, and rewrites the manifest; deletes nothing.

    A copy of a manifest that must change is kept there, too. Recorders wait meanwhile. An interrupted repair can be
    repeated. `track` shows the progress, as for `verify`.

    Returns:
        What was wrong; afterwards `verify` reports nothing.

    Raises:
        UserError: If there is no such folder, if it cannot be written, or if neither the manifest nor an episode tells
            in which environment the episodes were recorded; in that case nothing was moved.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name a folder of demonstrations")
    with writing(folder), locked(folder):
        faults, manifest = inspect(Snapshot.take(folder), track)
        if not faults:
            return ()
        if manifest is None:
            raise UserError(
                f"{folder} has no {NAME} that can be read, and no episode that tells its environment: "
                f"restore {NAME} from a copy"
            )
        for fault in faults:
            if fault.file != NAME and os.path.lexists(folder / fault.file):
                set_aside(folder / fault.file, _ASIDE)
        _keep(folder / NAME)
        manifest.save(folder)
        sync(folder)
    return faults


def _keep(path: Path) -> None:
    """Keeps a manifest before it is replaced; by a copy, so that there is one at every moment."""
    if path.is_file():
        with written_aside(place_aside(path, _ASIDE)) as copy:
            copy.write_bytes(path.read_bytes())
    elif os.path.lexists(path):
        set_aside(path, _ASIDE)
