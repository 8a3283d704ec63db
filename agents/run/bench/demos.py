"""The measurements behind the claims about demonstrations: the cost of recording and loading them."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trailkit.agents.run.bench.comparison import Comparison, Side
from trailkit.demos.record import provenance
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.stream import load_replay
from trailkit.envs.environment import Environment
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.replay.episode import EpisodeBuilder

_SETTINGS = EnvSettings("reach", observation=ObservationSettings(height=64, width=64), episode_steps=100)
_SOURCE = {"device": "scripted"}


def bench_demos(episodes: int = 100, rounds: int = 3) -> Iterator[Comparison]:
    """Measures how much time recording adds to control steps, and the time and memory for loading demonstrations.

    Times are processor times, since other programs may use the cores, too.

    Args:
        episodes: How many to load; they have 100 steps, with one 64x64 image each.
        rounds: How often to measure, less than `episodes`; medians are reported.
    """
    with tempfile.TemporaryDirectory() as folder, make_environment(_SETTINGS) as env:
        store = DemoStore.create(Path(folder) / "demos", _SETTINGS, _SOURCE)
        yield _recording(env, store, rounds)
        for index in range(episodes - rounds):
            store.append(store.read(index % rounds))  # decoding takes as long whether they are equal or not
        yield from _loading(DemoStore.open(store.path), rounds)


def _recording(env: Environment, store: DemoStore, rounds: int) -> Comparison:
    times = [_play(env, store, number) for number in range(rounds)]
    plain, recorded = (1e3 * float(seconds) for seconds in np.median(times, axis=0))
    return Comparison(
        name="control step of reach",
        unit="ms",
        ours=Side("recorded", recorded),
        other=Side("not recorded", plain),
        ratio=recorded / plain,
        target=1.1,
        at_least=False,
    )


def _play(env: Environment, store: DemoStore, seed: int) -> tuple[float, float]:
    """Processor seconds per step of an expert's episode, without recording it and with."""
    expert, builder = ScriptedExpert(env), EpisodeBuilder(provenance(store, seed, 0))
    playing = recording = 0.0
    env.seed(seed)
    timestep = env.reset()
    expert.reset()
    episode = builder.add(timestep, None, success=False, state=env.state())
    while episode is None:
        began = time.process_time()
        action = expert.act()
        timestep = env.step(action)
        stepped = time.process_time()
        episode = builder.add(timestep, action, success=env.solved, state=env.state())
        playing += stepped - began
        recording += time.process_time() - stepped
    began = time.process_time()
    store.append(episode)
    recording += time.process_time() - began
    return playing / episode.length, (playing + recording) / episode.length


def _loading(store: DemoStore, rounds: int) -> Iterator[Comparison]:
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        replay, _ = load_replay(DemoStore.open(store.path), n_step=5, early_steps=10, seed=0)
        seconds.append(time.process_time() - began)
    frames = sum(row.length + 1 for row in store.manifest.episodes) * 64 * 64 * 3
    took = float(np.median(seconds))
    name = f"{len(store)} episodes of {store.settings.episode_steps} steps"
    yield Comparison(f"loading {name}", "s", Side("took", took), Side("allowed", 3.0), took / 3.0, 1.0, at_least=False)
    yield Comparison(
        name=f"memory of {name}",
        unit="MB",
        ours=Side("loaded", replay.nbytes / 1e6),
        other=Side("their frames", frames / 1e6),
        ratio=replay.nbytes / frames,
        target=1.2,
        at_least=False,
    )
