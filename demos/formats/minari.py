"""Minari's format: a folder that `minari.MinariDataset` opens, and `minari.load_dataset` finds by name.

Minari's own writer would store images as JPEG, which changes them, and its reader cannot decode what the writer
makes of images below 32 pixels. The reader also accepts PNG. So Minari writes the dataset's description here, and
the episodes' HDF5 file is written directly in the layout that its reader expects.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import minari
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from minari.dataset.minari_dataset import DATASET_ID_RE
from minari.dataset.minari_storage import MinariStorage, is_image_space
from numpy.typing import NDArray

from trailkit.demos.formats.base import (
    Contents,
    completed,
    described,
    description,
    environment_id,
    environment_words,
    numbers,
    reading,
    task_of,
)
from trailkit.demos.formats.hdf5 import hdf5_written
from trailkit.demos.formats.png import png
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.envs.make import signature
from trailkit.envs.registration import IDS
from trailkit.envs.settings import EnvSettings
from trailkit.replay.atomic import folder_aside
from trailkit.replay.episode import Episode

_KIND = "a Minari dataset"
_OWN = "trailkit"
_EPISODES = "main_data.hdf5"


class Minari:
    """See `Format`."""

    def write(self, store: DemoStore, path: Path, track: Track = untracked) -> None:
        """See `Format`."""
        settings = store.settings
        observation_space = _observation_space(settings)
        with folder_aside(path) as aside:
            storage = MinariStorage.new(
                aside / "data", observation_space, _action_space(settings), _env_spec(settings), data_format="hdf5"
            )
            steps = 0
            with hdf5_written(storage.data_path / _EPISODES) as (file, check):
                for number, episode in enumerate(track(store.episodes(), len(store))):
                    group = file.create_group(f"episode_{number}", track_order=True)
                    group.attrs["id"] = number
                    _write_episode(group, episode, observation_space)
                    check()
                    steps += episode.length
            storage.update_metadata(
                {
                    "dataset_id": _dataset_id(path),
                    "minari_version": minari.__version__,
                    "total_episodes": len(store),
                    "total_steps": steps,
                    "dataset_size": float(storage.get_size()),
                    "description": f"Demonstrations of trailkit's task {settings.task}.",
                    "algorithm_name": str(store.manifest.source.get("device", "")),
                    _OWN: description(store.manifest),
                }
            )

    def read(self, path: Path) -> Contents:
        """See `Format`."""
        with reading(path, _KIND):
            dataset = minari.MinariDataset(path / "data" if (path / "data").is_dir() else path)
            metadata = dataset.storage.metadata
            return Contents(
                episodes=_episodes(dataset, path),
                manifest=described(metadata[_OWN]) if _OWN in metadata else None,
                task=task_of(dataset.env_spec.id) if dataset.env_spec else None,
                total=len(dataset.episode_indices),
            )


def _observation_space(settings: EnvSettings) -> spaces.Dict:
    observation = settings.observation
    shape = (observation.height, observation.width, 3)
    known: dict[str, spaces.Space[Any]] = {
        camera: spaces.Box(0, 255, shape, np.uint8) for camera in observation.cameras
    }
    if observation.proprioception:
        limits = np.finfo(np.float32)
        known["proprio"] = spaces.Box(limits.min, limits.max, (signature(settings).proprio_size,), np.float32)
    return spaces.Dict(known)


def _action_space(settings: EnvSettings) -> spaces.Box:
    return spaces.Box(-1, 1, (signature(settings).action_size,), np.float32)


def _env_spec(settings: EnvSettings) -> EnvSpec | None:
    """How Minari makes the environment; None if the task has no id or the images are not square."""
    square = settings.observation.height == settings.observation.width
    if settings.external is not None or settings.task not in IDS or not square:
        return None
    spec = gymnasium.spec(environment_id(settings))
    return replace(spec, kwargs={**spec.kwargs, **environment_words(settings)})


def _dataset_id(path: Path) -> str:
    """The id under which Minari finds the folder, if it lies within the folder that Minari searches."""
    root = Path(os.environ.get("MINARI_DATASETS_PATH", "~/.minari/datasets")).expanduser().resolve()
    whole = path.resolve()
    name = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else whole.name
    match = DATASET_ID_RE.fullmatch(name)
    return name if match and match["version"] else re.sub(r"[^-\w]", "_", whole.stem) + "-v0"


def _write_episode(group: h5py.Group, episode: Episode, space: spaces.Dict) -> None:
    last = np.arange(1, episode.length + 1) == episode.length
    group.attrs["total_steps"] = episode.length
    group.attrs[_OWN] = json.dumps(episode.metadata)
    group["actions"] = episode.action
    group["rewards"] = episode.reward
    group["terminations"] = last & (episode.discount == 0)
    group["truncations"] = last & (episode.discount > 0)
    # Minari's infos are parallel to observations: one from the reset comes before those of the steps.
    group["infos/success"] = np.concatenate([[False], episode.success])
    group["infos/discount"] = np.concatenate([[np.float32(1)], episode.discount])
    if episode.state is not None:
        group["infos/state"] = episode.state
    for name, values in episode.observation.items():
        if is_image_space(space[name]):
            pngs = group.create_dataset(f"observations/{name}", len(values), h5py.vlen_dtype(np.uint8))
            for row, picture in enumerate(values):
                pngs[row] = np.frombuffer(png(picture), np.uint8)
        else:
            group[f"observations/{name}"] = values


def _episodes(dataset: minari.MinariDataset, path: Path) -> Iterator[Episode]:
    for number in dataset.episode_indices:
        with reading(f"{path}, episode {number}", _KIND):
            [data], [attributes] = dataset.iterate_episodes([number]), dataset.storage.get_episode_metadata([number])
            episode = _read_episode(data, attributes)
        yield episode


def _read_episode(data: minari.EpisodeData, attributes: dict[str, Any]) -> Episode:
    own = _OWN in attributes
    infos = data.infos or {}
    observations = data.observations if isinstance(data.observations, dict) else {"observation": data.observations}
    steps = len(data.rewards)
    return completed(
        observation=observations,
        action=data.actions,
        reward=data.rewards,
        success=_after_steps(infos, "success", steps) if "success" in infos else None,
        discount=_after_steps(infos, "discount", steps) if own else 1 - data.terminations.astype(np.float32),
        metadata=json.loads(attributes[_OWN]) if own else {"name": f"episode_{data.id}"},
        state=infos.get("state") if own else None,
    )


def _after_steps(infos: dict[str, Any], key: str, steps: int) -> NDArray[Any]:
    """The part of Minari's infos that belongs to the steps: foreign data may lack the one from the reset."""
    values = numbers(f"infos/{key}", infos[key])
    if values.ndim < 1 or len(values) not in (steps, steps + 1):
        raise ValueError(f"infos/{key} has the shape {list(values.shape)}, expected {steps + 1} rows")
    return values[-steps:]
