"""Playing demonstrations back: a film of what the cameras saw."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import imageio.v3
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode

Frame = NDArray[np.uint8]

_MIN_HEIGHT = 256  # pixels
_MOMENTS = 8  # of each episode, on a contact sheet


def play(store: DemoStore, out: str | Path, episodes: Sequence[int] | None = None) -> Path:
    """Films episodes one after another, at the speed they were recorded at, as H.264 in yuv420p.

    A name that ends in .png gives a contact sheet instead: a row for each episode, eight moments from its first
    to its last.

    Args:
        store: The demonstrations.
        out: The path of the video or of the sheet.
        episodes: Which, by number; all by default.

    Returns:
        That path.

    Raises:
        UserError: If the demonstrations have no camera, there is no such episode, or the video cannot be written.
    """
    out = Path(out)
    chosen = _chosen(store, episodes)
    aside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".png":
            imageio.v3.imwrite(aside, _contact_sheet(chosen, store.settings.observation.cameras), extension=".png")
        else:
            _encode(aside, _frames(chosen, store.settings.observation.cameras), 1 / store.manifest.control_timestep)
        aside.replace(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}; choose another file") from error
    finally:
        aside.unlink(missing_ok=True)
    return out


def _frames(episodes: Iterable[Episode], cameras: Sequence[str]) -> Iterator[Frame]:
    """Yields the pictures of episodes one after another, uint8 [H, W, 3], the cameras side by side."""
    for episode in episodes:
        for step in range(episode.length + 1):
            yield _enlarge(_tile(episode, step, cameras))


def _contact_sheet(episodes: Iterable[Episode], cameras: Sequence[str]) -> Frame:
    rows = []
    for episode in episodes:
        moments = np.linspace(0, episode.length, _MOMENTS).round().astype(int)
        rows.append(np.hstack([_tile(episode, step, cameras) for step in moments]))
    return np.vstack(rows)


def _chosen(store: DemoStore, episodes: Sequence[int] | None) -> Iterator[Episode]:
    if not store.settings.observation.cameras:
        raise UserError(f"the demonstrations in {store.path} were recorded without a camera: there is nothing to see")
    numbers = range(len(store)) if episodes is None else episodes
    for number in numbers:
        if not 0 <= number < len(store):
            raise UserError(f"there is no episode {number} in {store.path}: choose from 0 to {len(store) - 1}")
    if not numbers:
        raise UserError(f"no episode of {store.path} was chosen: choose from 0 to {len(store) - 1}")
    return map(store.read, numbers)


def _tile(episode: Episode, step: int, cameras: Sequence[str]) -> Frame:
    return np.hstack([episode.observation[camera][step] for camera in cameras])


def _enlarge(frame: Frame) -> Frame:
    """Repeats pixels until there are 256 rows of them, in even numbers, which H.264's halved colours need."""
    factor = -(-_MIN_HEIGHT // frame.shape[0])
    large = frame.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = large.shape[:2]
    return np.pad(large, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _encode(path: Path, film: Iterator[Frame], rate: float) -> None:
    """Encodes frames of one size, of which there is at least one.

    Raises:
        OSError: If the encoder fails, with what it said.
    """
    first = next(film)
    source = f"-f rawvideo -pix_fmt rgb24 -s {first.shape[1]}x{first.shape[0]} -r {rate:g} -i -"
    target = "-an -c:v libx264 -pix_fmt yuv420p -movflags +faststart -f mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *source.split(), *target.split(), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        try:
            for frame in chain([first], film):
                encoder.stdin.write(frame.tobytes())
        except BrokenPipeError:
            pass  # the encoder gave up and says below why
        except BaseException:
            encoder.kill()
            raise
        _, complaint = encoder.communicate()
    if encoder.returncode != 0:
        raise OSError(" ".join(complaint.decode(errors="replace").split()))
