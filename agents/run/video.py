"""Videos of what a policy does."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from trailkit.agents.base import Policy
from trailkit.agents.run.atomic import written_aside
from trailkit.agents.run.evaluate import episode_seed, play
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.envs.settings import CONTROL_TIMESTEP

Frame = NDArray[np.uint8]

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


def write_video(path: Path, frames: Iterable[Frame], fps: float = 20) -> None:
    """Writes frames, uint8 [H, W, 3] each, as H.264 in yuv420p, which every player shows.

    Odd sizes grow by a pixel, since that format halves the resolution of colour.

    Raises:
        UserError: If the video cannot be written.
        ValueError: If there is no frame, or one of another size or kind.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame")
    with written_aside(path) as aside:
        command = _command(_even(first), fps, aside)
        # A session of its own: an interrupt from the keyboard is this process's to handle.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as encoder:
            try:
                for frame in chain([first], frames):
                    if frame.shape != first.shape or frame.dtype != np.uint8:
                        raise ValueError(f"a frame is {frame.dtype} {frame.shape}: expected uint8 {first.shape}")
                    encoder.stdin.write(_even(frame).tobytes())  # type: ignore[union-attr]
            except BrokenPipeError:
                pass  # the encoder gave up and says below why
            except BaseException:
                encoder.kill()
                raise
            _, complaint = encoder.communicate()
        if encoder.returncode != 0:
            reason, *_ = complaint.decode(errors="replace").splitlines() or ["the encoder failed"]
            raise UserError(f"cannot write {path}: {reason}")


def _command(frame: Frame, fps: float, path: Path) -> list[str]:
    """The encoder's command line. It takes one thread: encoding must not slow down what it films."""
    height, width = frame.shape[:2]
    source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {fps:g} -i -"
    target = "-an -c:v libx264 -preset fast -crf 20 -threads 1 -pix_fmt yuv420p -movflags +faststart -f mp4"
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *source.split(), *target.split(), str(path)]


def _even(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


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
