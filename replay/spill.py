"""The spill: the agent's episodes on disk, from which replay is restored after a restart."""

import logging
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode
from trailkit.replay.episode_file import read_episode, read_summary, write_episode

_LOGGER = logging.getLogger(__name__)
_TOTAL = "total_steps"  # in an episode's metadata: the steps ever written, including its own


class Spill:
    """The newest episodes, one file each, up to `max_steps` steps in total."""

    def __init__(self, folder: Path, max_steps: int) -> None:
        """Opens or creates the folder; leftovers of interrupted writes are removed.

        Raises:
          UserError: If `max_steps` is not positive.
        """
        if max_steps < 1:
            raise UserError(f"the spill's max_steps is {max_steps}: it must be at least 1")
        folder.mkdir(parents=True, exist_ok=True)
        for aside in folder.glob(".episode_*.partial"):
            aside.unlink()
        self._folder = folder
        self._max_steps = max_steps
        self._files: deque[tuple[Path, int]] = deque()
        self.count = 0  # how many episodes were ever written: the next one's index
        self.steps = 0  # how many steps the files hold
        self.total_steps = 0  # how many steps were ever written
        for path in sorted(folder.glob("episode_*.hdf5")):
            self._take_stock(path)

    def write(self, episode: Episode) -> Path:
        """Writes an episode and deletes the oldest files beyond `max_steps` (never the new one).

        Raises:
          UserError: If the disk is full; the spill is then unchanged.
        """
        path = self._folder / f"episode_{self.count:08d}.hdf5"
        total = self.total_steps + episode.length
        write_episode(path, episode._replace(metadata={**episode.metadata, _TOTAL: total}))
        self.count += 1
        self.total_steps = total
        self._files.append((path, episode.length))
        self.steps += episode.length
        while self.steps > self._max_steps and len(self._files) > 1:
            oldest, length = self._files.popleft()
            oldest.unlink(missing_ok=True)
            self.steps -= length
        return path

    def load(self) -> Iterator[Episode]:
        """Reads the episodes, oldest first; a damaged file is skipped with a warning."""
        for path, _ in tuple(self._files):
            try:
                episode = read_episode(path)
            except UserError as error:
                _LOGGER.warning("skipped an episode of the agent's: %s", error)
                continue
            yield episode

    def _take_stock(self, path: Path) -> None:
        """Registers a file that an earlier process wrote."""
        index = re.fullmatch(r"episode_(\d+)", path.stem)
        if index is None:
            return
        self.count = max(self.count, int(index[1]) + 1)
        try:
            length, metadata = read_summary(path)
        except UserError as error:
            _LOGGER.warning("skipped an episode of the agent's: %s", error)
            return
        self._files.append((path, length))
        self.steps += length
        self.total_steps = metadata.get(_TOTAL, self.total_steps + length)
