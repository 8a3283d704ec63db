"""Files that are whole or absent: written aside, forced to disk, then renamed into place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trailkit.envs.errors import UserError


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, and moves what was written to `path` if all went well.

    Whatever `path` held before stays until then. Nothing is left aside after a failure.

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the system's refusal to write `path` into an error that says so."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free some space there or choose another folder"
        ) from error


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk and would outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
