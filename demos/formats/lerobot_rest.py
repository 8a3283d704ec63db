"""What a LeRobotDataset has no place for, kept in `meta/trailkit/`, where LeRobot does not look.

A LeRobotDataset has as many observations as actions. So the observation after the last action is here, and with it
discounts, the simulator's states and the recordings' descriptions.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trailkit.demos.formats.base import described, description
from trailkit.demos.formats.lerobot_pictures import picture_of, png
from trailkit.demos.manifest import Manifest
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ObservationSettings
from trailkit.replay.episode import Episode

_FOLDER = Path("meta/trailkit")
_RECORDING, _EPISODES = "recording.json", "episodes.parquet"


class Rest(NamedTuple):
    """The rest of one episode of T steps."""

    last: dict[str, NDArray[Any]]  # the observation after the last action
    discount: NDArray[np.float32]  # [T]
    metadata: dict[str, Any]
    state: NDArray[np.float64] | None  # [T+1, S]


class RestWriter:
    """Writes the rests of episodes one after another."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        """Begins, in a dataset's folder."""
        folder = root / _FOLDER
        folder.mkdir(parents=True)
        (folder / _RECORDING).write_text(description(manifest))
        self._schema = _schema(manifest.settings.observation)
        self._table = pq.ParquetWriter(folder / _EPISODES, self._schema)

    def add(self, episode: Episode) -> None:
        """Adds the rest of an episode."""
        last = {f"last.{name}": values[-1] for name, values in episode.observation.items()}
        row = {
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
        self._folder = folder
        self.manifest = described((folder / _RECORDING).read_text()) if (folder / _RECORDING).exists() else None
        self._table = pq.read_table(folder / _EPISODES) if self.manifest else None

    def of(self, number: int, steps: int) -> Rest | None:
        """The rest of an episode; None where there are none.

        Raises:
            UserError: If it is of another episode.
        """
        if self._table is None:
            return None
        [row] = self._table.slice(number, 1).to_pylist() or [{"discount": []}]
        if len(row["discount"]) != steps:
            raise UserError(
                f"{self._folder} is of other episodes than the dataset that it is in, someone has edited that: "
                "remove the folder and read the dataset as one that trailkit did not write"
            )
        last = {name.removeprefix("last."): value for name, value in row.items() if name.startswith("last.")}
        return Rest(
            last={
                name: np.array(value, np.float32) if name == "proprio" else picture_of(value)
                for name, value in last.items()
            },
            discount=np.array(row["discount"], np.float32),
            metadata=json.loads(row["metadata"]),
            state=None if row["state"] is None else np.array(row["state"], np.float64),
        )


def _schema(observation: ObservationSettings) -> pa.Schema:
    proprio = [("last.proprio", pa.list_(pa.float32()))] if observation.proprioception else []
    return pa.schema(
        [
            ("discount", pa.list_(pa.float32())),
            ("metadata", pa.string()),
            ("state", pa.list_(pa.list_(pa.float64()))),
            *proprio,
            *((f"last.{camera}", pa.binary()) for camera in observation.cameras),
        ]
    )
