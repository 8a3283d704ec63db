"""Makes new folders of demonstrations by merging or splitting existing ones, which stay unchanged."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from trailkit.demos.folder import episode_name
from trailkit.demos.manifest import Manifest, Row
from trailkit.demos.match import differences
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import folder_aside


def merge(folders: Sequence[str | Path], out: str | Path, track: Track = untracked) -> DemoStore:
    """Copies the demonstrations of several folders into a new one, one folder after another.

    Each episode keeps its provenance: its file is copied unchanged, under another name.

    Args:
        folders: Folders of the same environment, each named once.
        out: The new folder; it exists afterwards completely or not at all.
        track: Shows the progress.

    Raises:
        UserError: If the environments differ (lists the differences), an episode is damaged, or the folder exists or
            cannot be written.
    """
    if len({Path(folder).resolve() for folder in folders}) != len(folders):
        raise UserError("merge names a folder twice: its demonstrations would count double; name each once")
    stores = [DemoStore.open(folder) for folder in folders]
    if len(stores) < 2:
        raise UserError("merge joins two or more folders of demonstrations: name them all")
    first = stores[0]
    for store in stores[1:]:
        timesteps = store.manifest.control_timestep, first.manifest.control_timestep
        if found := differences(store.settings, first.settings, *timesteps):
            raise UserError(f"{store.path} and {first.path} are of different environments: {found}; merge those alike")
    created = min(store.manifest.created for store in stores)
    chosen = [(store, index) for store in stores for index in range(len(store))]
    with new_folder(Path(out)) as aside:
        _copy(chosen, replace(first.manifest, created=created), aside, track)
    return DemoStore.open(out)


def split(
    folder: str | Path, out: str, holdout: int, seed: int = 0, track: Track = untracked
) -> tuple[DemoStore, DemoStore]:
    """Copies demonstrations into two new folders: some for training, and a random choice to hold out.

    Args:
        folder: The demonstrations.
        out: The prefix of the new folders' names: NAME gives NAME_train and NAME_holdout.
        holdout: How many episodes to hold out.
        seed: Seeds the choice.
        track: Shows the progress.

    Returns:
        The demonstrations for training and those held out; both keep the order of the episodes.

    Raises:
        UserError: If none would be left to hold out or to train on, an episode is damaged, or one of the folders
            exists or cannot be written; then neither is created.
    """
    store = DemoStore.open(folder)
    if not 1 <= holdout < len(store):
        raise UserError(
            f"holdout is {holdout} of the {len(store)} demonstrations in {store.path}: hold out at least one, and "
            "leave at least one to learn from"
        )
    drawn = set(np.random.default_rng(seed).permutation(len(store))[:holdout].tolist())
    left = [index for index in range(len(store)) if index not in drawn]
    train, held = Path(f"{out}_train"), Path(f"{out}_holdout")
    with ExitStack() as undo:
        with new_folder(train) as train_aside:
            with new_folder(held) as held_aside:
                _copy([(store, index) for index in left], store.manifest, train_aside, track)
                _copy([(store, index) for index in sorted(drawn)], store.manifest, held_aside, track)
            undo.callback(shutil.rmtree, held, ignore_errors=True)  # it is in place now, but the other may still fail
        undo.pop_all()
    return DemoStore.open(train), DemoStore.open(held)


def new_folder(out: Path) -> AbstractContextManager[Path]:
    """Gives a folder to fill, which becomes `out` if no error occurs, and is removed otherwise.

    Raises:
        UserError: If `out` exists, or cannot be written.
    """
    check_free(out)
    return folder_aside(out)


def check_free(out: Path) -> None:
    """Checks that a file or folder to be created does not exist yet, not even as an empty folder.

    Raises:
        UserError: If it exists.
    """
    if out.exists():
        raise UserError(f"{out} exists: choose another name, nothing is overwritten")


def _copy(chosen: Sequence[tuple[DemoStore, int]], manifest: Manifest, folder: Path, track: Track) -> None:
    """Copies episodes' files after checking each, and writes a manifest of them."""
    rows: list[Row] = []
    for number, (store, index) in enumerate(track(chosen, len(chosen))):
        store.read(index)
        row = store.manifest.episodes[index]
        name = episode_name(number)
        shutil.copyfile(store.path / row.file, folder / name)
        rows.append(replace(row, file=name))
    replace(manifest, episodes=tuple(rows)).save(folder)
