"""Videos of what a policy does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from trailkit.agents.base import Policy
from trailkit.agents.run.evaluate import episode_seed, play
from trailkit.demos.video import Frame, write_video
from trailkit.envs.environment import Environment
from trailkit.envs.settings import CONTROL_TIMESTEP

_TIMELINE_HEIGHT = 8  # pixels
_AHEAD, _UNSOLVED, _SOLVED = (40, 40, 40), (170, 170, 170), (60, 190, 90)


def record_videos(
    env: Environment,
    policy: Policy,
    folder: Path,
    episodes: int,
    seed: int,
    cameras: Sequence[str] = ("front",),
    height: int = 480,
    width: int = 640,
) -> list[Path]:
    """Films the first episodes of the evaluation with this seed, one `eval_episode_N.mp4` each.

    The cameras' pictures stand side by side; the strip below fills with time, green while the task is solved.

    Returns:
        The videos' paths.

    Raises:
        UserError: If there is no such camera, or a video cannot be written.
    """
    paths = [folder / f"eval_episode_{index}.mp4" for index in range(episodes)]
    for index, path in enumerate(paths):
        frames = _film(env, policy, episode_seed(seed, index), cameras, height, width)
        write_video(path, frames, fps=1 / CONTROL_TIMESTEP)
    return paths


def _film(
    env: Environment, policy: Policy, seed: int, cameras: Sequence[str], height: int, width: int
) -> Iterator[Frame]:
    solved: list[bool] = []
    for moment in play(env, policy, seed):
        solved.append(moment.solved)
        views = np.hstack([env.render(camera, height, width) for camera in cameras])
        yield np.vstack([views, _timeline(solved, env.settings.episode_steps, views.shape[1])])


def _timeline(solved: Sequence[bool], length: int, width: int) -> Frame:
    """The strip below a picture, uint8 [8, width, 3]: a column for each share of the episode."""
    colours = [_SOLVED if step else _UNSOLVED for step in solved] + [_AHEAD] * (length - len(solved))
    columns = np.array(colours, np.uint8)[np.arange(width) * len(colours) // width]
    return np.broadcast_to(columns, (_TIMELINE_HEIGHT, width, 3))
