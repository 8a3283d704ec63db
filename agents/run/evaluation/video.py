"""Videos of what a policy does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import imageio.v3
import numpy as np
from PIL import Image

from trailkit.agents.base import Policy
from trailkit.agents.run.evaluation.episodes import Moment, episode_seed, play
from trailkit.agents.run.evaluation.explain import Explanation
from trailkit.agents.run.evaluation.overlay import Overlay, side_by_side
from trailkit.demos.video import Frame, write_video
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.envs.rendering import Quality
from trailkit.replay.atomic import written_aside

_TIMELINE_HEIGHT = 8  # pixels
_AHEAD, _UNSOLVED, _SOLVED = (40, 40, 40), (170, 170, 170), (60, 190, 90)
_MOMENTS = 8  # of each episode on a contact sheet
_GIF_PERIOD = 0.1  # seconds between frames of a GIF, about: keeps it small, and browsers slow down faster ones


@dataclass(frozen=True)
class View:
    """How to show an episode."""

    cameras: Sequence[str | None] = (None,)  # shown side by side; None is the environment's default
    height: int = 480  # pixels, of each image
    width: int = 640
    quality: Quality = Quality.FULL


def record_videos(
    env: Environment,
    policy: Policy,
    out: Path,
    episodes: int,
    seed: int,
    view: View | None = None,
    explain: Callable[[Sequence[Moment]], Explanation] | None = None,
) -> list[Path]:
    """Records the first episodes of the evaluation with this seed.

    The strip below the images fills with time, green while the task is solved.

    Args:
        env: The environment.
        policy: A policy without exploration noise.
        out: A folder, for `eval_episode_N.mp4` each; or a .gif for all of them one after another, or a .png for a
            contact sheet with one row each.
        episodes: The number of episodes.
        seed: The seed of the evaluation.
        view: How to show them.
        explain: If given, its results are shown beside the images.

    Returns:
        The paths that were written.

    Raises:
        UserError: If there is no such camera, the name has another suffix, or a file cannot be written.
    """
    films = (_film(env, policy, episode_seed(seed, index), view or View(), explain) for index in range(episodes))
    match out.suffix:
        case "":
            paths = [out / f"eval_episode_{index}.mp4" for index in range(episodes)]
            for path, film in zip(paths, films, strict=True):
                write_video(path, film, fps=1 / env.control_timestep)
            return paths
        case ".gif":
            _write_gif(out, films, env.control_timestep)
        case ".png":
            with written_aside(out) as aside:
                imageio.v3.imwrite(aside, np.vstack([_row(list(film)) for film in films]), extension=".png")
        case _:
            raise UserError(f"out={out}: name a folder for videos, an animation (.gif) or a contact sheet (.png)")
    return [out]


def _film(
    env: Environment,
    policy: Policy,
    seed: int,
    view: View,
    explain: Callable[[Sequence[Moment]], Explanation] | None,
) -> Iterator[Frame]:
    moments: list[Moment] = []
    pictures: list[Frame] = []
    for moment in play(env, policy, seed):
        moments.append(moment)
        sights = [env.render(camera, view.height, view.width, view.quality) for camera in view.cameras]
        pictures.append(np.hstack(sights))
        if explain is None:  # otherwise the whole episode must be known first
            yield _with_timeline(pictures.pop(), moments, env.settings.episode_steps)
    if explain is not None:
        seen = [side_by_side(moment.observation, env.settings.observation.cameras) for moment in moments]
        overlay = Overlay(explain(moments), seen, view.height)
        for step, picture in enumerate(pictures):
            panel = overlay.draw(step)
            below = np.zeros((len(panel) - len(picture), *picture.shape[1:]), np.uint8)  # if the image is lower
            both = np.hstack([np.vstack([picture, below]), panel])
            yield _with_timeline(both, moments[: step + 1], env.settings.episode_steps)


def _with_timeline(picture: Frame, moments: Sequence[Moment], length: int) -> Frame:
    """An image above a strip of 8 pixels, in which each column stands for a part of the episode."""
    solved = [_SOLVED if moment.solved else _UNSOLVED for moment in moments]
    colours = solved + [_AHEAD] * (length - len(moments))
    width = picture.shape[1]
    columns = np.array(colours, np.uint8)[np.arange(width) * len(colours) // width]
    return np.vstack([picture, np.broadcast_to(columns, (_TIMELINE_HEIGHT, width, 3))])


def _row(frames: Sequence[Frame]) -> Frame:
    """Some moments of an episode, from its first to its last."""
    return np.hstack([frames[step] for step in np.linspace(0, len(frames) - 1, _MOMENTS).round().astype(int)])


def _write_gif(path: Path, films: Iterable[Iterable[Frame]], timestep: float) -> None:
    every = max(1, round(_GIF_PERIOD / timestep))

    def pictures() -> Iterator[Image.Image]:
        for number, frame in enumerate(frame for film in films for frame in islice(film, 0, None, every)):
            picture = Image.fromarray(frame)
            begin, end = (round(100 * each * every * timestep) for each in (number, number + 1))
            picture.info["duration"] = 10 * (end - begin)  # milliseconds; the format stores multiples of ten
            yield picture

    first, *others = pictures()
    with written_aside(path) as aside:
        first.save(aside, format="GIF", save_all=True, append_images=others, loop=0)
