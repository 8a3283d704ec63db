"""The memory and disk space that a run will need when its replay is full, estimated before it starts.

docs/cluster.md explains the formula. What a process needs besides the replay was measured; the size of the replay is
estimated from the demonstrations, whose images compress like the agent's.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

import h5py
import numpy as np
import psutil

from trailkit.agents.run import build_data
from trailkit.configs.choices import EncoderKind, LaunchKind, LearnerKind, ReplayBackend
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.demos.stream import count_learned_from
from trailkit.envs.errors import UserError
from trailkit.replay.rows import Rows, pack, row_dtype

_MB = 1e6
# Bytes of a process without replay, demonstrations and an update's intermediate results; measured.
_INLINE = 510 * _MB  # torch, MuJoCo, the networks and their optimisers
_LEARNER = 310 * _MB  # torch and the networks
_SERVER = 180 * _MB
_REVERB = 235 * _MB  # TensorFlow and Reverb, additionally in each process that loads them
_REVERB_LIBRARIES = 530 * _MB  # shared by those processes
_PLAYER = 360 * _MB  # an actor or an evaluator
_RAY = 760 * _MB  # its own processes on one machine, and the command itself
# Of an update's intermediate results, for 32 of the agent's transitions with one 64x64 image.
_UPDATE = {EncoderKind.compact: 54 * _MB, EncoderKind.nature: 57 * _MB, EncoderKind.residual: 320 * _MB}
_REVERB_ITEM = 1800.0  # bytes that Reverb keeps for each step in addition to the compressed row
_CHECKPOINT = {EncoderKind.compact: 8 * _MB, EncoderKind.nature: 40 * _MB, EncoderKind.residual: 40 * _MB}
_LOG = 5.0  # bytes of metrics and events per learner step
_SAMPLED_ROWS = 20


@dataclass(frozen=True)
class Footprint:
    """A run's needs, in bytes, by what causes them."""

    memory: Mapping[str, float]
    disk: Mapping[str, float]

    def needs(self, folder: Path, at_once: int = 1) -> list["Need"]:
        """Compares the needs of one of `at_once` runs with what this machine has free; the folder need not exist."""
        disk = free_disk(folder) + _taken(folder)  # a resumed run has already used a part of the disk
        mend = "lower replay.capacity, launch.actors or demo_limit"
        return [
            Need(
                "memory", self.memory, free_memory() / at_once, mend if at_once == 1 else f"{mend}, or jobs={at_once}"
            ),
            Need("disk", self.disk, disk, "lower replay.capacity or keep_checkpoints, or give another out"),
        ]


@dataclass(frozen=True)
class Need:
    """How much of a resource a run needs and how much is free, in bytes."""

    name: str
    parts: Mapping[str, float]
    free: float
    mend: str  # what to do if there is too little

    @property
    def met(self) -> bool:
        """Whether there is enough."""
        return sum(self.parts.values()) <= self.free

    def __str__(self) -> str:
        made_up = ", ".join(f"{part} {_gigabytes(size)}" for part, size in self.parts.items() if size)
        needed = f"the run needs {_gigabytes(sum(self.parts.values()))} of {self.name} ({made_up})"
        there = f"{needed} and {_gigabytes(self.free)} are free"
        return there if self.met else f"{there}: {self.mend}"


def footprint(config: TrainConfig, demos: DemoStore) -> Footprint:
    """The footprint of a run with these demonstrations."""
    rows = _sample(demos)
    steps = played_steps(config)
    held = min(steps, config.replay.capacity)
    recorded = demos.manifest.episodes
    stored = sum(row.size for row in recorded) / sum(row.length for row in recorded)
    kept_back = build_data.holdout_episodes(config, len(recorded))
    learned_from = count_learned_from(demos, kept_back, config.demo_limit)
    loaded = sum(row.length for row in [*recorded[:learned_from], *recorded[len(recorded) - kept_back :]])
    if (random := build_data.check_random_demos(config)) is not None:
        loaded += sum(row.length for row in random.manifest.episodes)
    return Footprint(
        memory={
            **_processes(config),
            "demonstrations": 1.01 * loaded * rows.itemsize,  # an episode has one more row than steps
            "replay": held * _bytes_a_step(config, rows),
        },
        disk={
            "episodes": held * stored,
            "checkpoints": (config.keep_checkpoints + 2) * _CHECKPOINT[config.encoder.kind],
            "logs": _LOG * config.steps,
        },
    )


def refuse_what_cannot_fit(config: TrainConfig, demos: DemoStore, folder: Path, at_once: int = 1) -> None:
    """Checks that there is enough memory and disk for each of `at_once` runs on this machine.

    Raises:
        UserError: If there is not, with the numbers.
    """
    if config.launch.address is not None:
        return  # Ray decides which machines its processes will be on
    for need in footprint(config, demos).needs(folder, at_once):
        if not need.met:
            raise UserError(str(need))


def played_steps(config: TrainConfig) -> float:
    """How many steps actors will play until the learner's last step."""
    if config.learner is LearnerKind.bc:
        return 0.0
    return config.actor.random_steps + config.steps * config.agent.batch_size / config.replay.samples_per_insert


def free_memory() -> float:
    """Bytes that this process and its children may use: the machine's, or its container's."""
    free = float(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text() for name in ("memory.max", "memory.current"))
        (cached,) = re.findall(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        return min(free, float(limit) - float(used) + float(cached))  # without a limit the file contains "max"
    except (OSError, ValueError):
        return free


def free_disk(folder: Path) -> float:
    """Free bytes where a folder is, or will be."""
    folder = folder.absolute()
    return float(disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free)


def _taken(folder: Path) -> float:
    """Bytes of the run's existing files; files that it replaces meanwhile may vanish."""
    found = 0.0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found += path.lstat().st_size
    return found


def _processes(config: TrainConfig) -> dict[str, float]:
    """The memory of the processes, all of which run on this machine unless Ray is told otherwise."""
    loaded = build_data.replay_backend(config) is ReplayBackend.reverb and config.learner is not LearnerKind.bc
    if config.launch.kind is LaunchKind.inline:
        return {"the process": _INLINE + loaded * (_REVERB + _REVERB_LIBRARIES) + _update(config)}
    reverb = loaded * (_REVERB + _REVERB_LIBRARIES / 2)  # for the learner and for the server
    players = config.launch.evaluators + (0 if config.learner is LearnerKind.bc else config.launch.actors)
    return {
        "Ray": _RAY,
        "learner": _LEARNER + reverb + _update(config),
        "replay server": loaded * (_SERVER + reverb),
        "actors and evaluators": players * _PLAYER,
    }


def _update(config: TrainConfig) -> float:
    pictures = len(config.env.cameras) * config.env.height * config.env.width / 64**2
    return _UPDATE[config.encoder.kind] * pictures * config.agent.batch_size / 32


def _bytes_a_step(config: TrainConfig, rows: Rows) -> float:
    if build_data.replay_backend(config) is ReplayBackend.memory:
        return 1.01 * rows.itemsize
    # Reverb compresses each row separately, about as well as LZF.
    return _REVERB_ITEM + float(np.mean([_compressed(row.tobytes()) for row in rows]))


def _sample(demos: DemoStore) -> Rows:
    episode = demos.read(0)
    rows = pack(episode, row_dtype(episode))
    return rows[:: max(1, len(rows) // _SAMPLED_ROWS)]


def _compressed(content: bytes) -> int:
    with h5py.File("sample", "w", driver="core", backing_store=False) as file:
        data = np.frombuffer(content, np.uint8)
        return int(file.create_dataset("row", data=data, chunks=data.shape, compression="lzf").id.get_storage_size())


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
