"""Files and folders that are either complete or absent: written to a temporary path, synced to disk, then renamed."""

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trailkit.envs.errors import UserError


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and moves the result to `path` if no error occurred.

    Until then `path` keeps its old content. After a failure the temporary file is removed.

    Raises:
        UserError: If the file cannot be written (a full disk, no permission).
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            sync(aside)
            aside.replace(path)
            sync(path.parent)
    finally:
        with suppress(OSError):
            aside.unlink()


def sweep_aside(path: Path) -> None:
    """Removes temporary files that killed processes left beside `path`; no process may be writing it."""
    for aside in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        aside.unlink()


@contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """Gives a new temporary folder beside `path` to fill, and renames it to `path` if no error occurred.

    After a failure the temporary folder is removed.

    Raises:
        UserError: If it cannot be written (a full disk, no permission), or `path` exists and is not an empty folder.
    """
    path = path.absolute()  # Minari does not find its own files through a relative path
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with writing(path):
            aside.mkdir(parents=True)
            yield aside
            for each in [*aside.rglob("*"), aside]:
                sync(each)
            aside.rename(path)
            sync(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an `OSError` while writing `path` into a `UserError` that says so."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free some space there or choose another folder"
        ) from error


def sync(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on disk and would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
