"""The measurements behind every speed claim: both sides of a ratio, measured alternately in one run.

Each `bench_…` returns a `Comparison` of medians over rounds. Simulation and rendering are measured in processor time,
since the slower side would be interrupted more often by other programs.
"""

import functools
import importlib.util
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trailkit.agents.run.bench.comparison import Comparison, Side, print_comparisons, write_comparisons
from trailkit.agents.run.bench.learning import bench_learner, bench_replay
from trailkit.agents.run.provenance import provenance
from trailkit.demos.scripted import ScriptedExpert
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.rendering import Renderer
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

_STATE_ONLY = ObservationSettings(cameras=())


def bench_render(rounds: int = 5, pictures: int = 10) -> Comparison:
    """Compares the renderer with dm_control's camera: 64x64 images of the task lift per second, larger is better.

    Both render the same model in the same states, those of an expert's episode.
    """
    medians = [_render_round(pictures) for _ in range(rounds)]
    ours, other = (1 / float(seconds) for seconds in np.median(medians, axis=0))
    return Comparison(
        name="64x64 picture of lift",
        unit="pictures/s",
        ours=Side("trailkit", ours),
        other=Side("dm_control's camera", other),
        ratio=ours / other,
        target=20.0,
        at_least=True,
    )


def _render_round(pictures: int) -> tuple[float, float]:
    """Median seconds per image for our renderer and for dm_control's.

    They do not alternate image by image, nor share an environment between rounds: dm_control assumes that its OpenGL
    context stays current once it has made it so, and would draw into ours.
    """
    with TaskEnvironment(EnvSettings("lift", observation=_STATE_ONLY), seed=0) as env:
        camera, data = env.task.camera_id("front"), env.physics.data.ptr
        actions = _actions(env, pictures)
        other = _median_seconds(env, actions, lambda: env.physics.render(64, 64, camera_id=camera))
        renderer = Renderer(env.physics.model.ptr, 64, 64)
        ours = _median_seconds(env, actions, lambda: renderer.render(data, camera))
        renderer.close()
    return ours, other


def _median_seconds(env: TaskEnvironment, actions: list[NDArray[np.float32]], draw: Callable[[], object]) -> float:
    """Plays the actions from the start of an episode and renders each state; the first image sets up a context."""
    env.seed(0)
    env.reset()
    draw()
    seconds = []
    for action in actions:
        env.step(action)
        seconds.append(_seconds(draw))
    return float(np.median(seconds))


def bench_bare_render(rounds: int = 5, pictures: int = 40) -> Comparison:
    """Compares the renderer with the two calls that are unavoidable: milliseconds, smaller is better.

    `mjr_render` and `mjr_readPixels` draw each image again from the scene that the renderer has arranged, in its
    context; so the difference is arranging the scene and copying the image.
    """
    medians = [_bare_render_round(pictures) for _ in range(rounds)]
    whole, bare = (1e3 * float(seconds) for seconds in np.median(medians, axis=0))
    return Comparison(
        name="64x64 picture of lift",
        unit="ms",
        ours=Side("trailkit", whole),
        other=Side("mjr_render and mjr_readPixels", bare),
        ratio=whole / bare,
        target=1.3,
        at_least=False,
    )


def _bare_render_round(pictures: int) -> tuple[float, float]:
    with TaskEnvironment(EnvSettings("lift", observation=_STATE_ONLY), seed=0) as env:
        camera, data = env.task.camera_id("front"), env.physics.data.ptr
        renderer = Renderer(env.physics.model.ptr, 64, 64)
        seconds = []
        for action in _actions(env, pictures):
            env.step(action)
            seconds.append((_seconds(lambda: renderer.render(data, camera)), _seconds(renderer.draw)))
        renderer.close()
    whole, bare = np.median(seconds[1:], axis=0)  # the first image initialises the driver
    return float(whole), float(bare)


def bench_env(rounds: int = 5, steps: int = 100) -> Comparison:
    """Compares steps of the task lift with and without the 64x64 front image: milliseconds, smaller is better.

    Both environments have the same seed and the same actions, the first half an expert's, the rest random.
    """
    settings = EnvSettings("lift"), EnvSettings("lift", observation=_STATE_ONLY)
    with TaskEnvironment(settings[0], seed=0) as pixels, TaskEnvironment(settings[1], seed=0) as state:
        actions = _actions(state, steps // 2)
        actions += list(np.random.default_rng(0).uniform(-1, 1, (steps - len(actions), 4)).astype(np.float32))
        medians = [(_median_step(pixels, actions), _median_step(state, actions)) for _ in range(rounds)]
    with_picture, without = (1e3 * float(seconds) for seconds in np.median(medians, axis=0))
    return Comparison(
        name="environment step of lift",
        unit="ms",
        ours=Side("with a 64x64 picture", with_picture),
        other=Side("state only", without),
        ratio=with_picture / without,
        target=3.0,
        at_least=False,
    )


def bench_reset(rounds: int = 5, resets: int = 10) -> Comparison:
    """Compares a reset of lift with a step of it, both with a 64x64 image: milliseconds."""
    with TaskEnvironment(EnvSettings("lift"), seed=0) as env:
        actions = list(np.random.default_rng(0).uniform(-1, 1, (40, 4)).astype(np.float32))
        medians = []
        for _ in range(rounds):
            step = _median_step(env, actions)
            medians.append((float(np.median([_seconds(env.reset) for _ in range(resets)])), step))
    reset, step = (1e3 * float(seconds) for seconds in np.median(medians, axis=0))
    return Comparison(
        name="environment of lift",
        unit="ms",
        ours=Side("reset", reset),
        other=Side("step", step),
        ratio=reset / step,
        target=5.0,
        at_least=False,
    )


def _median_step(env: TaskEnvironment, actions: list[NDArray[np.float32]]) -> float:
    env.seed(0)
    env.reset()
    return float(np.median([_seconds(functools.partial(env.step, action)) for action in actions]))


def _launch() -> Iterable[Comparison]:
    from trailkit.agents.run.bench.launch import bench_actors, bench_launch  # noqa: PLC0415 (Ray is an extra)

    return chain(bench_actors(), bench_launch())


def _demos() -> Iterable[Comparison]:
    from trailkit.agents.run.bench.demos import bench_demos  # noqa: PLC0415

    return bench_demos()


def _teleop() -> Iterable[Comparison]:
    from trailkit.agents.run.bench.teleop import bench_teleop  # noqa: PLC0415

    return bench_teleop()


BENCHES: dict[str, Callable[[], Iterable[Comparison]]] = {
    "render": lambda: [bench_render(), bench_bare_render()],
    "env": lambda: [bench_env(), bench_reset()],
    "learner": bench_learner,
    "replay": bench_replay,
    "launch": _launch,
    "demos": _demos,
    "teleop": _teleop,
}


_USAGE = f"name what to measure: trailkit bench all|{'|'.join(BENCHES)} [out=NAME.md]"


def main(words: list[str]) -> None:
    """`trailkit bench all|NAME... [out=NAME.md]`: measures, prints both sides of each ratio, and writes them.

    Each benchmark has its own process, so that no measurement includes memory left by another. The .md file gets the
    table, and a .json file beside it the numbers with the commit, the machine and the duration. `all` skips launch if
    Ray is not installed.

    Raises:
        UserError: If there is no such benchmark, or the file has another suffix.
    """
    names, outs = _read(words)
    about, began, measured = {"command": f"trailkit bench {' '.join(names)}", **provenance()}, time.monotonic(), []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as own_process:
        for found in own_process.map(_measure, names):
            print_comparisons(found)
            measured += found
            for out in outs:
                write_comparisons(out, measured, {**about, "seconds": round(time.monotonic() - began)})


def _read(words: list[str]) -> tuple[list[str], list[Path]]:
    """The named benchmarks, and where to write."""
    outs = [Path(word.removeprefix("out=")) for word in words if word.startswith("out=")]
    names = [word for word in words if "=" not in word]
    if not names or len(outs) + len(names) != len(words):
        raise UserError(_USAGE)
    for out in outs:
        if out.suffix != ".md":
            raise UserError(f"out={out}: name a table (.md)")
    for name in names:
        if name not in ("all", *BENCHES):
            raise unknown("benchmark", name, ["all", *BENCHES])
    if importlib.util.find_spec("ray") is None:
        if "launch" in names:
            raise UserError("trailkit bench launch needs Ray: pip install 'trailkit[ray]'")
        return [name for name in BENCHES if name != "launch"] if "all" in names else names, outs
    return list(BENCHES) if "all" in names else names, outs


def _measure(name: str) -> list[Comparison]:
    return list(BENCHES[name]())


def _actions(env: TaskEnvironment, steps: int) -> list[NDArray[np.float32]]:
    """The scripted expert's actions in the episode of seed 0, which the environment will play next."""
    expert = ScriptedExpert(env, seed=0)
    env.seed(0)
    env.reset()
    expert.reset()
    actions = []
    for _ in range(steps):
        actions.append(expert.act())
        env.step(actions[-1])
    env.seed(0)
    return actions


def _seconds(call: Callable[[], object]) -> float:
    """The processor time of a call, over all threads."""
    began = time.process_time()
    call()
    return time.process_time() - began
