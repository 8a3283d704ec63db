"""The demonstrations that a run began with: a run that goes on learns from them alone, whatever was recorded since."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

DEMOS, RANDOM_DEMOS = "demonstrations", "random_demonstrations"  # what a run may be given, as the notes are called


def note_demonstrations(store: DemoStore, run: Path, given: str = DEMOS) -> None:
    """Notes in the run's folder, unless it is noted there, what the run begins with.

    Raises:
        UserError: If it cannot be written.
    """
    note = _note(run, given)
    if not note.is_file():
        with written_aside(note) as aside:
            aside.write_text(json.dumps(_rows(store)))


def as_begun(store: DemoStore, run: Path, given: str = DEMOS) -> DemoStore:
    """The store as it was when the run began, which is now if nothing in the run's folder says so yet.

    Raises:
        UserError: If it has no longer the same demonstrations, or the note of them is damaged.
    """
    note, there = _note(run, given), _rows(store)
    if not note.is_file():
        return store
    try:
        begun = json.loads(note.read_text())
    except ValueError as error:
        raise UserError(f"{note} is damaged: delete it if {store.path} is as {run} began with") from error
    if there[: len(begun)] != begun:
        raise UserError(
            f"{store.path} has no longer the {len(begun)} demonstrations that {run} began with: put them back, or "
            "begin another run"
        )
    return DemoStore(store.path, replace(store.manifest, episodes=store.manifest.episodes[: len(begun)]), store.source)


def begun_with(run: Path) -> str | None:
    """What tells the demonstrations that a run began with from others, wherever they lie; None if it has no note."""
    note = _note(run, DEMOS)
    return sha256(note.read_bytes()).hexdigest()[:8] if note.is_file() else None


def _note(run: Path, given: str) -> Path:
    return run / f"{given}.json"


def _rows(store: DemoStore) -> list[list[str | int]]:
    return [[row.file, row.size, row.length] for row in store.manifest.episodes]
