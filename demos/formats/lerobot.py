"""LeRobot's format, LeRobotDataset v3.0: a folder of parquet tables, JSON and optionally videos.

It is written and read without LeRobot, whose newer versions require other Python and NumPy versions than dm-reverb.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trailkit.demos.formats.base import Contents, completed, numbers, reading, timestep_of, warn_of_changed
from trailkit.demos.formats.lerobot_pictures import Pictures
from trailkit.demos.formats.lerobot_rest import Rests, RestWriter
from trailkit.demos.formats.lerobot_writer import INFO, DatasetWriter
from trailkit.demos.formats.png import picture_of
from trailkit.demos.formats.video import read_pictures
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import folder_aside
from trailkit.replay.episode import Episode

_KIND = "a LeRobotDataset v3"
_TOLERANCE = 1e-4  # seconds, as in LeRobot


class LeRobot:
    """See `Format`."""

    def __init__(self, pictures: Callable[[Path, int], Pictures]) -> None:
        """Takes the way in which images are stored: `Videos` or `Images`."""
        self._pictures = pictures

    def write(self, store: DemoStore, path: Path, track: Track = untracked) -> None:
        """See `Format`."""
        fps = _whole(1 / store.manifest.control_timestep)
        with folder_aside(path) as root:
            pictures = self._pictures(root, fps)
            dataset = DatasetWriter(root, store.settings, fps, pictures)
            rest = RestWriter(root, store.manifest, lossy=store.settings.observation.cameras if pictures.path else ())
            for episode in track(store.episodes(), len(store)):
                dataset.add(episode)
                rest.add(episode)
            rest.close()
            dataset.close()

    def read(self, path: Path) -> Contents:
        """See `Format`."""
        with reading(path, _KIND):
            info = json.loads((path / INFO).read_text())
            version = info["codebase_version"]
            if not version.startswith("v3."):
                raise UserError(f"{path} is a LeRobotDataset {version}: bring it to v3.0 with LeRobot's own converter")
            rests = Rests(path)
            return Contents(
                episodes=_episodes(path, info, rests),
                manifest=rests.manifest,
                control_timestep=timestep_of(info["fps"], "fps"),
                total=total if isinstance(total := info.get("total_episodes"), int) else None,
            )


def _whole(rate: float) -> int:
    """The steps per second, which LeRobot stores as an integer.

    Raises:
        UserError: If they are not an integer.
    """
    if not math.isclose(rate, round(rate), rel_tol=1e-6):
        raise UserError(
            f"{rate:.4g} steps a second cannot be written as a LeRobotDataset, whose fps is a whole number: export to "
            "robomimic or minari, or record at another rate (env.action_repeat)"
        )
    return round(rate)


def _episodes(root: Path, info: dict[str, Any], rests: Rests) -> Iterator[Episode]:
    with reading(root, _KIND):
        table, held, changed = pa.table({}), "", list[str]()
        lossy = {_name(key) for key, feature in info["features"].items() if feature["dtype"] == "video"}
        for row in _places(root):
            where = info["data_path"].format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
            if where != held:
                table, held = pq.read_table(root / where), where
            steps = table.filter(pc.equal(table["episode_index"], row["episode_index"]))
            number = row["episode_index"]
            with reading(f"{root}, episode {number}", _KIND):
                episode = _episode(root, info, row, steps)
            recorded = rests.restored(episode, number, lossy) if rests.manifest else episode
            if recorded is None:
                changed.append(f"episode {number}")
            yield recorded or episode
        warn_of_changed(root, changed)


def _places(root: Path) -> Iterator[dict[str, Any]]:
    """The location of each episode, from the tables of episodes without their statistics."""
    for path in sorted(root.glob("meta/episodes/*/*.parquet")):
        names = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
        yield from pq.read_table(path, columns=names).to_pylist()


def _episode(root: Path, info: dict[str, Any], row: dict[str, Any], steps: pa.Table) -> Episode:
    """An episode as stored in the dataset itself, with the last observation repeated."""
    number, length, fps = row["episode_index"], row["length"], info["fps"]
    if not length:
        raise ValueError("it has no steps")
    if len(steps) != length:
        raise UserError(f"{root}: episode {number} has {len(steps)} steps in the table, not {length} as it should")
    times = numbers("timestamp", steps["timestamp"].to_pylist(), np.float64)
    if not np.allclose(times, np.arange(length) / fps, rtol=0, atol=_TOLERANCE):
        raise UserError(f"{root}: the steps of episode {number} do not follow each other at {fps} Hz as it should be")
    observation = {}
    for key, feature in info["features"].items():
        if key.startswith("observation.") and feature["dtype"] != "string":
            with reading(f"{root}, episode {number}, {key}", _KIND):
                values = _observed(root, info, row, steps, key)
            observation[_name(key)] = np.concatenate([values, values[-1:]])
    return completed(
        observation=observation,
        action=numbers("action", steps["action"].to_pylist()).reshape(length, -1),
        reward=_values(steps, "next.reward"),
        success=_values(steps, "next.success"),
        discount=None,
        metadata={"name": f"episode {number}"},
    )


def _observed(root: Path, info: dict[str, Any], row: dict[str, Any], steps: pa.Table, key: str) -> NDArray[Any]:
    """The observations before each step, [T, ...]."""
    kind = info["features"][key]["dtype"]
    if kind == "video":
        place = {name: row[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
        path = root / info["video_path"].format(video_key=key, **place)
        return read_pictures(path, row[f"videos/{key}/from_timestamp"], row["length"], info["fps"])
    if kind == "image":
        return np.stack([picture_of(cell and cell["bytes"]) for cell in steps[key].to_pylist()])
    return numbers(key, steps[key].to_pylist(), kind).reshape(len(steps), -1)


def _name(key: str) -> str:
    if key == "observation.state":
        return "proprio"
    return key.removeprefix("observation.").removeprefix("images.")


def _values(steps: pa.Table, key: str) -> list[Any] | None:
    return steps[key].to_pylist() if key in steps.column_names else None
