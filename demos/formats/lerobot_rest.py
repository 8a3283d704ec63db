"""The data that LeRobotDataset cannot hold, stored in `meta/trailkit/`, which LeRobot ignores.

A LeRobotDataset has as many observations as actions. So the observation after the last action is stored here, together
with discounts, the simulator's states and the recordings' descriptions. These rests may remain unchanged when someone
edits the dataset, so each one contains a digest of the episode that it belongs to.
"""

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trailkit.demos.formats.base import described, description, digest
from trailkit.demos.formats.png import picture_of, png
from trailkit.demos.manifest import Manifest
from trailkit.envs.settings import ObservationSettings
from trailkit.replay.episode import Episode

_FOLDER = Path("meta/trailkit")
_RECORDING, _EPISODES = "recording.json", "episodes.parquet"


class RestWriter:
    """Writes the rests of episodes one by one."""

    def __init__(self, root: Path, manifest: Manifest, lossy: Collection[str]) -> None:
        """Starts in a dataset's folder; `lossy` names the cameras whose images a codec changes."""
        folder = root / _FOLDER
        folder.mkdir(parents=True)
        (folder / _RECORDING).write_text(description(manifest))
        self._lossy = lossy
        self._schema = _schema(manifest.settings.observation)
        self._table = pq.ParquetWriter(folder / _EPISODES, self._schema)

    def add(self, episode: Episode) -> None:
        """Adds the rest of an episode."""
        last = {f"last.{name}": values[-1] for name, values in episode.observation.items()}
        row = {
            "digest": _digest(episode, self._lossy),
            "discount": episode.discount.tolist(),
            "metadata": json.dumps(episode.metadata),
            "state": None if episode.state is None else episode.state.tolist(),
            **{name: value.tolist() if name == "last.proprio" else png(value) for name, value in last.items()},
        }
        self._table.write_table(pa.Table.from_pylist([row], self._schema))

    def close(self) -> None:
        """Closes the file."""
        self._table.close()


class Rests:
    """The rests of a dataset written by trailkit."""

    def __init__(self, root: Path) -> None:
        """Reads the rests in a dataset's folder; `manifest` is None if there are none."""
        folder = root / _FOLDER
        self.manifest = described((folder / _RECORDING).read_text()) if (folder / _RECORDING).exists() else None
        self._table = pq.read_table(folder / _EPISODES) if self.manifest else pa.table({"digest": []})
        self._digests = self._table["digest"].to_pylist()

    def restored(self, episode: Episode, number: int, lossy: Collection[str]) -> Episode | None:
        """An episode combined with its rest.

        Args:
            episode: The episode as stored in the dataset itself; its last observation is ignored.
            number: Its position in the dataset, needed only where several episodes are equal except for lossy images.
            lossy: The cameras whose images a codec changed.

        Returns:
            The episode as it was recorded, except for lossy images; None if no rest certainly belongs to it.
        """
        place = self._place(_digest(episode, lossy), number)
        if place is None:
            return None
        [row] = self._table.slice(place, 1).to_pylist()
        stored = {name.removeprefix("last."): value for name, value in row.items() if name.startswith("last.")}
        last = {
            name: np.array(value, np.float32) if name == "proprio" else picture_of(value)
            for name, value in stored.items()
        }
        # The digest does not reveal whether someone removed or resized lossy images.
        shapes = {name: values.shape[1:] for name, values in episode.observation.items()}
        if shapes != {name: values.shape for name, values in last.items()}:
            return None
        return episode._replace(
            observation={
                name: np.concatenate([values[:-1], last[name][None]]) for name, values in episode.observation.items()
            },
            discount=np.array(row["discount"], np.float32),
            metadata=json.loads(row["metadata"]),
            state=None if row["state"] is None else np.array(row["state"], np.float64),
        )

    def _place(self, known_by: str, number: int) -> int | None:
        found = [place for place, each in enumerate(self._digests) if each == known_by]
        if number in found:
            return number
        return found[0] if len(found) == 1 else None


def _digest(episode: Episode, lossy: Collection[str]) -> str:
    """The digest of everything in an episode that a dataset stores exactly."""
    observed = {name: values[:-1] for name, values in episode.observation.items() if name not in lossy}
    return digest({**observed, "action": episode.action, "reward": episode.reward, "success": episode.success})


def _schema(observation: ObservationSettings) -> pa.Schema:
    proprio = [("last.proprio", pa.list_(pa.float32()))] if observation.proprioception else []
    return pa.schema(
        [
            ("digest", pa.string()),
            ("discount", pa.list_(pa.float32())),
            ("metadata", pa.string()),
            ("state", pa.list_(pa.list_(pa.float64()))),
            *proprio,
            *((f"last.{camera}", pa.binary()) for camera in observation.cameras),
        ]
    )
