"""What a LeRobotDataset has no place for, kept in `meta/trailkit/`, where LeRobot does not look.

A LeRobotDataset has as many observations as actions. So the observation after the last action is here, and with it
discounts, the simulator's states and the recordings' descriptions. Whoever edits a dataset may leave this as it was, so
each rest says, by a digest, of which episode it is.
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
    """Writes the rests of episodes one after another."""

    def __init__(self, root: Path, manifest: Manifest, lossy: Collection[str]) -> None:
        """Begins, in a dataset's folder; `lossy` names the cameras that a codec changes there."""
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
        """Ends the file."""
        self._table.close()


class Rests:
    """The rests of a dataset that trailkit wrote."""

    def __init__(self, root: Path) -> None:
        """Reads those in a dataset's folder; its `manifest` is None if there are none."""
        folder = root / _FOLDER
        self.manifest = described((folder / _RECORDING).read_text()) if (folder / _RECORDING).exists() else None
        self._table = pq.read_table(folder / _EPISODES) if self.manifest else pa.table({"digest": []})
        self._digests = self._table["digest"].to_pylist()

    def restored(self, episode: Episode, number: int, lossy: Collection[str]) -> Episode | None:
        """An episode with its rest.

        Args:
            episode: As the dataset itself has it, its last observation any.
            number: Its place in the dataset. It matters only where several episodes are alike in all that is not lossy.
            lossy: The cameras that a codec changed.

        Returns:
            The episode as it was recorded, but for lossy pictures; None where no rest is surely of it.
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
        # The digest does not tell whether someone has left out or resized lossy pictures.
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
    """Of all that a dataset holds of an episode to the last bit."""
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
