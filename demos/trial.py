"""Tests files without a seal: HDF5 can hang or crash on damage, so another process opens them first."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from trailkit.envs.errors import UserError
from trailkit.replay.episode_file import read_episode

_PATIENCE = 10  # seconds per file


def deadly(paths: Sequence[Path], patience: int = _PATIENCE) -> set[Path]:
    """Which episodes' files make HDF5 hang or crash; those must not be opened in this process.

    Args:
        paths: The paths of the files.
        patience: How many seconds reading one may take.
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
    """Reads one file after another and prints a dot after each; a file that takes too long ends the process."""
    patience, *paths = words
    for path in paths:
        signal.alarm(int(patience))  # its signal ends the process even if HDF5 is in an endless loop
        with suppress(UserError):
            read_episode(Path(path))
        print(".", end="", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
