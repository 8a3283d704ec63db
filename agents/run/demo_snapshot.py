"""The demonstrations that a run started with: a resumed run uses only these, whatever was recorded since."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

DEMOS, RANDOM_DEMOS = "demonstrations", "random_demonstrations"  # what a run may be given, and names of its notes


def note_demonstrations(store: DemoStore, run: Path, given: str = DEMOS) -> None:
    """Notes in the run's folder what the run starts with, unless it is already noted there.

    Raises:
        UserError: If it cannot be written.
    """
    note = _note(run, given)
    if not note.is_file():
        with written_aside(note) as aside:
            aside.write_text(json.dumps(_rows(store)))


def as_begun(store: DemoStore, run: Path, given: str = DEMOS) -> DemoStore:
    """The store as it was when the run started; as it is now if the run's folder has no note yet.

    Raises:
        UserError: If it no longer has the same demonstrations, or the note of them is damaged.
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
    """A digest of the demonstrations that a run started with, wherever they are stored; None if it has no note."""
    note = _note(run, DEMOS)
    return sha256(note.read_bytes()).hexdigest()[:8] if note.is_file() else None


def _note(run: Path, given: str) -> Path:
    return run / f"{given}.json"


def _rows(store: DemoStore) -> list[list[str | int]]:
    return [[row.file, row.size, row.length] for row in store.manifest.episodes]
