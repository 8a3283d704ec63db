"""The learner's and the replay's measurements; see `bench`."""

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from trailkit.agents.base import Snapshot, as_tensors
from trailkit.agents.early_stopping import Never
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run import build, build_data
from trailkit.agents.run.bench.comparison import Comparison, Side
from trailkit.agents.run.bench.kernels import kernels_of
from trailkit.agents.run.bench.plain_update import PlainUpdate
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.loops import act, episode_starts
from trailkit.agents.run.parameters import LocalParameters
from trailkit.configs.choices import EncoderKind
from trailkit.configs.schema import TrainConfig
from trailkit.envs.environment import Environment
from trailkit.envs.make import make_environment
from trailkit.envs.robot import PROPRIOCEPTION_SIZE
from trailkit.replay.base import Replay, Table
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.mix import constrained_pairs, pairs
from trailkit.replay.transition import ImitationBatch

_EPISODES = 25  # of the task lift, played at random: 5,000 steps
_FRAME_BYTES = 64 * 64 * 3


def bench_learner(rounds: int = 7) -> Iterator[Comparison]:
    """Compares full TRAIL updates with the same update in plain code: milliseconds, larger ratios are better.

    Critic, policy and discriminator at `preset=cpu`, batch 64 (half of it the agent's), 64x64, the threads of training.
    """
    config = _config()
    torch.set_num_threads(config.threads)
    with make_environment(env_settings(config.env)) as env:
        episodes = _episodes(env, 3)
        batch = _batch(config, episodes)
        updates = {kind: _update(config, kind, env, batch) for kind in EncoderKind}
        action_size = env.action_spec().shape[0]
    crop = round(config.env.height * config.discriminator.crop)
    plain = PlainUpdate(config.env.height, crop, PROPRIOCEPTION_SIZE, action_size)
    timed = _medians([lambda: plain.step(batch), *updates.values()], rounds)
    for kind, milliseconds in zip(updates, timed[1:], strict=True):
        yield Comparison(
            name=f"TRAIL update, {kind.value} encoder",
            unit="ms",
            ours=Side("trailkit", milliseconds),
            other=Side("written plainly, Nature encoder", timed[0]),
            ratio=timed[0] / milliseconds,
            target=3.0 if kind is EncoderKind.compact else None,
            at_least=True,
        )
    for kind, update in updates.items():
        whole, alone = _medians([update, kernels_of(update)], rounds)
        yield Comparison(
            name=f"TRAIL update, {kind.value} encoder",
            unit="ms",
            ours=Side("all of it", whole),
            other=Side("its convolutions and products alone", alone),
            ratio=whole / alone,
            target=1.5 if kind is EncoderKind.compact else None,
            at_least=False,
        )


def bench_replay(rounds: int = 7) -> Iterator[Comparison]:
    """Compares what replay stores with the raw frames, and its sampling rate with what the learner uses."""
    config = _config()
    torch.set_num_threads(config.threads)
    with make_environment(env_settings(config.env)) as env:
        episodes = _episodes(env, _EPISODES)
        update = _update(config, config.encoder.kind, env, _batch(config, episodes))
    (milliseconds,) = _medians([update], rounds)
    size = config.agent.batch_size
    taken = 2 * size / milliseconds * 1e3  # a batch from each table per update
    replay = build_data.make_replay(config)
    before = _resident_bytes()
    for episode in episodes:
        replay.add(episode)
    stored = (_resident_bytes() - before) / sum(episode.length for episode in episodes)
    given = 2 * size / min(_batch_seconds(replay, size) for _ in range(rounds))
    replay.close()
    name = type(replay).__name__
    yield Comparison(
        name=f"{name}, a stored step",
        unit="bytes",
        ours=Side("stored", stored),
        other=Side("its frame", _FRAME_BYTES),
        ratio=stored / _FRAME_BYTES,
        target=1.2,
        at_least=False,
    )
    yield Comparison(
        name=f"{name}, items",
        unit="items/s",
        ours=Side("sampled", given),
        other=Side("the learner takes", taken),
        ratio=given / taken,
        target=4.0,
        at_least=True,
    )


def _config() -> TrainConfig:
    return configure("train", TrainConfig, ["method=trail", "env=lift", "preset=cpu", "demos=none"])


def _episodes(env: Environment, count: int) -> list[Episode]:
    policy = RandomPolicy(env.action_spec().shape[0])
    played = act(env, policy, Never(), LocalParameters(Snapshot(0, {})), episode_starts(0, 0), label="random")
    return [episode for episode, _ in islice(played, count)]


def _batch(config: TrainConfig, episodes: list[Episode]) -> ImitationBatch:
    """One batch, with the expert's half made like the agent's."""
    replay = MemoryReplay(config.replay.capacity, config.agent.n_step, config.env.early_steps, seed=0)
    for episode in episodes:
        replay.add(episode)
    main, early = (replay.batches(table, config.agent.batch_size) for table in (Table.MAIN, Table.EARLY))
    batches = constrained_pairs(pairs(main, main), (batch.train for batch in pairs(early, early)))
    return as_tensors(next(batches))


def _update(config: TrainConfig, kind: EncoderKind, env: Environment, batch: ImitationBatch) -> Callable[[], object]:
    config.encoder.kind = kind
    learner = build.make_agent(config, env.settings).learner
    return lambda: learner.step(batch)


def _medians(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Median milliseconds of each call; they alternate, after a first round that is not counted."""
    seconds = [[_seconds(call) for call in calls] for _ in range(rounds + 1)][1:]
    return [1e3 * float(median) for median in np.median(seconds, axis=0)]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _batch_seconds(replay: Replay, size: int, batches: int = 50) -> float:
    """Mean seconds for one batch from each table."""
    main, early = (replay.batches(table, size) for table in (Table.MAIN, Table.EARLY))
    next(main), next(early)
    began = time.perf_counter()
    for _ in range(batches):
        next(main), next(early)
    return (time.perf_counter() - began) / batches


def _resident_bytes() -> int:
    """The resident memory of this process, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
