"""The folder of a store: its file names, its lock, and where discarded files go."""

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trailkit.envs.errors import UserError

EPISODE = re.compile(r"episode_(\d{6})\.hdf5")


def episode_name(number: int) -> str:
    """The name of an episode's file."""
    return f"episode_{number:06d}.hdf5"


def set_aside(path: Path, folder: str) -> Path:
    """Moves a file into a folder beside it, under an unused name, and returns its new path."""
    new = place_aside(path, folder)
    path.rename(new)
    return new


def place_aside(path: Path, folder: str) -> Path:
    """An unused path for a file in a folder beside it, which is created."""
    aside = path.parent / folder
    aside.mkdir(exist_ok=True)
    numbered = (f"{path.stem}.{number}{path.suffix}" for number in itertools.count(1))
    names = itertools.chain([path.name], numbered)
    return next(aside / name for name in names if not os.path.lexists(aside / name))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Blocks other recorders; the operating system releases the lock when the process ends, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def recording_into(path: Path) -> Iterator[None]:
    """Turns an `OSError` while writing into a `UserError` that says so."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot record into {path}: {error.strerror or error}; choose another folder") from error
