"""Allows only one training at a time in a run's folder."""

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from trailkit.envs.errors import UserError
from trailkit.replay.atomic import writing

LOCK = ".lock"  # the file's name
_POLL_S = 0.1
_log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keeps other trainings out of a run's folder. The system releases the lock of a killed process.

    Args:
        folder: The folder of the run.
        wait_s: How long to wait for a process that is about to end.

    Raises:
        UserError: If another training is still there, or the folder cannot be written.
    """
    path = folder / LOCK
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        deadline = time.monotonic() + wait_s
        while not _lock(file):
            if time.monotonic() >= deadline:
                raise UserError(f"{folder} is in use by another training: wait until it ends, or end it")
            time.sleep(_POLL_S)
        yield


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # some network file systems have no locks
        _log.warning("%s cannot be locked (%s): see that no other training writes there", file.name, error.strerror)
    return True
