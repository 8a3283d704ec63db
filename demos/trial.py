"""Trying out files that have no seal: HDF5 can hang or crash on damage, so it first opens them in another process."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from trailkit.envs.errors import UserError
from trailkit.replay.episode_file import read_episode

_PATIENCE = 10  # seconds for a file


def deadly(paths: Sequence[Path], patience: int = _PATIENCE) -> set[Path]:
    """Which episodes' files make HDF5 hang or crash; those must not be opened here.

    Args:
        paths: Of the files.
        patience: Seconds that reading one may take.
    """
    found, rest = set(), list(paths)
    while rest:
        command = [sys.executable, "-P", "-m", "trailkit.demos.trial", str(patience), *map(str, rest)]
        trial = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if trial.returncode > 0:
            raise RuntimeError(f"trying out {rest} failed with exit code {trial.returncode}")
        survived = trial.stdout.count(b".")
        found |= set(rest[survived : survived + 1])
        rest = rest[survived + 1 :]
    return found


def main(words: Sequence[str]) -> None:
    """Reads one file after another, and prints a dot after each; a file that takes too long ends the process."""
    patience, *paths = words
    for path in paths:
        signal.alarm(int(patience))  # its signal ends the process even while HDF5 is in a loop
        with suppress(UserError):
            read_episode(Path(path))
        print(".", end="", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
