"""An episode, and its file: one HDF5 file an episode, whole or absent."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dm_env
import h5py
import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

_FORMAT = "trailkit episode 1"
_CHUNK_FRAMES = 16
_STEP_FIELDS: dict[str, tuple[type, int]] = {
    "action": (np.float32, 2),
    "reward": (np.float32, 1),
    "discount": (np.float32, 1),
    "success": (np.bool_, 1),
}


class Episode(NamedTuple):
    """A finished episode of T steps."""

    observation: dict[str, NDArray[Any]]  # T + 1 observations: cameras uint8 [T+1, H, W, 3], proprio f32 [T+1, P]
    action: NDArray[np.float32]  # [T, A]
    reward: NDArray[np.float32]  # [T]
    discount: NDArray[np.float32]  # [T], the environment's
    success: NDArray[np.bool_]  # [T], whether the task was solved after each step
    metadata: dict[str, Any]  # JSON: seed, source, how it ended; never needed to learn

    @property
    def length(self) -> int:
        """The number of steps, T."""
        return len(self.action)


class EpisodeBuilder:
    """Collects the time steps of one episode after another, as an actor meets them."""

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        """Begins with no episode; `metadata` goes into each one (JSON values)."""
        self._metadata = dict(metadata or {})
        self._observations: list[Mapping[str, Any]] = []
        self._steps: list[tuple[Any, float, float, bool]] = []

    def add(self, timestep: dm_env.TimeStep, action: NDArray[np.float32] | None, success: bool) -> Episode | None:
        """Takes in a time step, with the action that led to it (None at the first).

        Returns:
          The episode if this was its last step, else None. A last step with discount 1 is a truncation, with
          discount 0 a termination; `metadata["end"]` says which.

        Raises:
          ValueError: the action or the first step of the episode is missing.
        """
        if timestep.first() != (action is None):
            raise ValueError("the first time step of an episode comes without an action, every other with one")
        if timestep.first():
            self._observations, self._steps = [], []
        elif not self._observations:
            raise ValueError("the episode's first time step was not added")
        else:
            self._steps.append((action, float(timestep.reward), float(timestep.discount), success))
        # Copies, because environments may draw each picture into the same buffer.
        self._observations.append({name: np.array(value) for name, value in timestep.observation.items()})
        return self._finish() if timestep.last() else None

    def _finish(self) -> Episode:
        """Stacks what was collected and forgets it."""
        actions, rewards, discounts, successes = zip(*self._steps, strict=True)
        observations = self._observations
        end = "truncation" if discounts[-1] > 0 else "termination"
        episode = Episode(
            observation={name: np.stack([each[name] for each in observations]) for name in observations[0]},
            action=np.stack(actions).astype(np.float32),
            reward=np.array(rewards, np.float32),
            discount=np.array(discounts, np.float32),
            success=np.array(successes, np.bool_),
            metadata={**self._metadata, "end": end},
        )
        self._observations, self._steps = [], []
        check_episode(episode)
        return episode


def check_episode(episode: Episode) -> None:
    """Checks dtypes, shapes and finiteness.

    Raises:
      UserError: naming the entry that is wrong, what it is and what it should be.
    """
    for name, (dtype, rank) in _STEP_FIELDS.items():
        values: NDArray[Any] = getattr(episode, name)
        if values.dtype != dtype or values.ndim != rank or len(values) != episode.length:
            wanted = f"{np.dtype(dtype)} [{episode.length}{', A' if rank == 2 else ''}]"
            raise UserError(f"the episode's {name} is {values.dtype} {list(values.shape)}: it must be {wanted}")
        if not np.isfinite(values).all():
            raise UserError(f"the episode's {name} holds values that are not finite")
    if episode.length == 0:
        raise UserError("the episode has no steps")
    if not episode.observation:
        raise UserError("the episode has no observations: it needs at least one camera or proprio")
    rows = episode.length + 1
    for name, values in episode.observation.items():
        if name == "proprio":
            wanted, right = f"float32 [{rows}, P]", values.dtype == np.float32 and values.ndim == 2
        else:
            wanted = f"uint8 [{rows}, H, W, 3]"
            right = values.dtype == np.uint8 and values.ndim == 4 and values.shape[-1] == 3
        if not right or len(values) != rows:
            raise UserError(f"the episode's observation {name!r} is {values.dtype} {list(values.shape)}, not {wanted}")
        if name == "proprio" and not np.isfinite(values).all():
            raise UserError("the episode's proprio holds values that are not finite")


def write_episode(path: Path, episode: Episode) -> None:
    """Writes an episode so that `path` is afterwards whole and on the disk, or as it was before.

    Raises:
      UserError: the episode is malformed, or cannot be written (a full disk, no permission).
    """
    check_episode(episode)
    # Made in memory: HDF5 cannot close a file whose disk is full, and a plain write says so at once.
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file.attrs["format"] = _FORMAT
        file.attrs["metadata"] = json.dumps(episode.metadata)
        for name in _STEP_FIELDS:
            file[name] = getattr(episode, name)
        for name, values in episode.observation.items():
            _store_observation(file, name, values)
    with written_aside(path) as aside:
        aside.write_bytes(image.getbuffer())


def _store_observation(file: h5py.File, name: str, values: NDArray[Any]) -> None:
    """Stores pictures lightly compressed and with checksums; both cost less than the bytes saved.

    60 rendered 64x64 pictures: 69 kB instead of 751, for 3 ms more to write and 1 ms more to read.
    """
    chunks = (min(_CHUNK_FRAMES, len(values)), *values.shape[1:])
    light = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "fletcher32": True}
    file.create_dataset(f"observation/{name}", data=values, **(light if values.dtype == np.uint8 else {}))


def read_episode(path: Path) -> Episode:
    """Reads the episode in a file.

    Raises:
      UserError: the file is missing, empty, cut short, of another kind, or its contents do not fit together.
    """
    try:
        with _open(path) as file:
            group = file["observation"]
            episode = Episode(
                observation={name: group[name][()] for name in group},
                metadata=json.loads(file.attrs["metadata"]),
                **{name: file[name][()] for name in _STEP_FIELDS},
            )
    except UserError:
        raise
    except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged, some of the episode cannot be read: record it again or delete it"
        ) from error
    try:
        check_episode(episode)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return episode


def read_summary(path: Path) -> tuple[int, dict[str, Any]]:
    """Reads only how many steps the episode in a file has, and its metadata.

    Raises:
      UserError: as for `read_episode`.
    """
    with _open(path) as file:
        if not isinstance(file.get("action"), h5py.Dataset) or "metadata" not in file.attrs:
            raise UserError(f"{path} is damaged, it has no actions or no metadata: record it again or delete it")
        return len(file["action"]), json.loads(file.attrs["metadata"])


def _open(path: Path) -> h5py.File:
    """Opens an episode's file to read."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: expected an episode's HDF5 file")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: an episode's file is never written in part, record it again or delete it")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is cut short or no HDF5 file: record it again or delete it") from error
    if file.attrs.get("format") != _FORMAT:
        file.close()
        raise UserError(f"{path} is not an episode of trailkit's: expected an episode's HDF5 file")
    return file
