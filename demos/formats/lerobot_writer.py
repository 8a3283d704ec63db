"""Writes a LeRobotDataset v3.0: a table of steps, a table of episodes, and their descriptions."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trailkit.demos.formats import statistics
from trailkit.demos.formats.lerobot_features import features_of, tasks_table
from trailkit.demos.formats.lerobot_pictures import Pictures
from trailkit.demos.formats.statistics import Statistics
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode import Episode

_VERSION = "v3.0"
_DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
INFO = "meta/info.json"
_STATS, _TASKS = "meta/stats.json", "meta/tasks.parquet"
_EPISODES = "meta/episodes/chunk-000/file-000.parquet"
_FILES_PER_CHUNK = 1000
_DATA_MB, _VIDEO_MB = 100, 200
# LeRobot compares times in float32 with a tolerance of 0.1 ms, which fails from 1024 s on.
_FILE_SECONDS = 900


class DatasetWriter:
    """Writes episodes one by one; the dataset is complete after `close`."""

    def __init__(self, root: Path, settings: EnvSettings, fps: int, pictures: Pictures) -> None:
        """Starts a dataset in an empty folder."""
        self._root, self._fps, self._pictures = root, fps, pictures
        self._task = settings.task.replace("_", " ")
        self._robot = "jaco" if settings.external is None else settings.task
        self._features = features_of(settings, pictures)
        self._rows: list[dict[str, Any]] = []
        self._steps = 0  # of all episodes
        self._table: pq.ParquetWriter | None = None
        self._file = -1
        self._file_steps = self._file_bytes = 0
        self._numbers: dict[str, list[NDArray[Any]]] = defaultdict(list)
        self._levels: dict[str, NDArray[np.int64]] = {}

    def add(self, episode: Episode) -> None:
        """Adds an episode: a row for each step, with the observation before it and the reward after it."""
        seconds = (self._file_steps + episode.length) / self._fps
        if self._table is None or seconds > _FILE_SECONDS or self._file_bytes > _DATA_MB * 2**20:
            self._begin_file()
        numbers = self._columns(episode)
        seen = {
            f"observation.images.{key}": images[:-1] for key, images in episode.observation.items() if key != "proprio"
        }
        stored = {key: self._pictures.add(key, images) for key, images in seen.items()}
        columns = {key: _column(values) for key, values in numbers.items()}
        table = pa.table({**columns, **{key: column for key, column in stored.items() if column is not None}})
        if self._table is None:
            path = self._root / _DATA_PATH.format(**self._place())
            path.parent.mkdir(parents=True, exist_ok=True)
            self._table = pq.ParquetWriter(path, table.schema, compression="snappy")
        self._table.write_table(table)
        self._rows.append({**self._row(episode.length), **self._statistics(numbers, seen)})
        self._steps += episode.length
        self._file_steps += episode.length
        self._file_bytes += table.nbytes

    def close(self) -> None:
        """Closes the files and writes their descriptions."""
        self._pictures.close()
        if self._table is not None:
            self._table.close()
        path = self._root / _EPISODES
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._rows), path, compression="snappy")
        pq.write_table(tasks_table(self._task), self._root / _TASKS)
        every = {key: statistics.of_numbers(np.concatenate(values)) for key, values in self._numbers.items()}
        every |= {key: statistics.of_pictures(levels, self._steps) for key, levels in self._levels.items()}
        stats = {key: {name: value.tolist() for name, value in each.items()} for key, each in every.items()}
        (self._root / _STATS).write_text(json.dumps(stats, indent=1))
        (self._root / INFO).write_text(json.dumps(self._info(), indent=1))

    def _info(self) -> dict[str, Any]:
        return {
            "codebase_version": _VERSION,
            "robot_type": self._robot,
            "total_episodes": len(self._rows),
            "total_frames": self._steps,
            "total_tasks": 1,
            "chunks_size": _FILES_PER_CHUNK,
            "data_files_size_in_mb": _DATA_MB,
            "video_files_size_in_mb": _VIDEO_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._rows)}"},
            "data_path": _DATA_PATH,
            "video_path": self._pictures.path,
            "features": self._features,
        }

    def _begin_file(self) -> None:
        if self._table is not None:
            self._table.close()
        self._table = None
        self._file += 1
        self._file_steps = self._file_bytes = 0
        self._pictures.begin(*divmod(self._file, _FILES_PER_CHUNK))

    def _place(self) -> dict[str, int]:
        chunk, file = divmod(self._file, _FILES_PER_CHUNK)
        return {"chunk_index": chunk, "file_index": file}

    def _columns(self, episode: Episode) -> dict[str, NDArray[Any]]:
        """The numeric values of each step, [T] or [T, D]."""
        steps = np.arange(episode.length)
        state = {"observation.state": episode.observation["proprio"][:-1]} if "proprio" in episode.observation else {}
        return {
            **state,
            "action": episode.action,
            "next.reward": episode.reward,
            "next.done": steps == episode.length - 1,
            "next.success": episode.success,
            "timestamp": (steps / self._fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(episode.length, len(self._rows)),
            "index": self._steps + steps,
            "task_index": np.zeros(episode.length, np.int64),
        }

    def _row(self, length: int) -> dict[str, Any]:
        """The location of an episode."""
        start = self._file_steps / self._fps
        row = {
            "episode_index": len(self._rows),
            "tasks": [self._task],
            "length": length,
            "dataset_from_index": self._steps,
            "dataset_to_index": self._steps + length,
            **{f"data/{name}": number for name, number in self._place().items()},
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key in (key for key, feature in self._features.items() if feature["dtype"] == "video"):
            place = {**self._place(), "from_timestamp": start, "to_timestamp": start + length / self._fps}
            row |= {f"videos/{key}/{name}": value for name, value in place.items()}
        return row

    def _statistics(self, numbers: dict[str, NDArray[Any]], seen: dict[str, NDArray[np.uint8]]) -> dict[str, Any]:
        """Statistics of one episode, as columns; also accumulates those of all episodes."""
        found: dict[str, Statistics] = {}
        for key, values in numbers.items():
            vectors = values.reshape(len(values), -1)
            self._numbers[key].append(vectors)
            found[key] = statistics.of_numbers(vectors)
        for key, pictures in seen.items():
            levels = statistics.histogram(pictures)
            self._levels[key] = self._levels.get(key, 0) + levels
            found[key] = statistics.of_pictures(levels, len(pictures))
        return {f"stats/{key}/{name}": value.tolist() for key, each in found.items() for name, value in each.items()}


def _column(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1 or values.shape[1] == 1:  # LeRobot reads a shape of [1] as a scalar
        return pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
