"""Plays demonstrations back as a video of what the cameras saw."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import imageio.v3
import numpy as np

from trailkit.demos.store import DemoStore
from trailkit.demos.video import Frame, write_video
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside
from trailkit.replay.episode import Episode

_MIN_HEIGHT = 256  # pixels
_MOMENTS = 8  # of each episode on a contact sheet


def play(store: DemoStore, out: str | Path, episodes: Sequence[int] | None = None) -> Path:
    """Writes a video of episodes one after another, at recording speed, as H.264 in yuv420p.

    A name that ends in .png gives a contact sheet instead: a row for each episode, with eight moments from its first to
    its last. A name without a suffix, or one that ends in a slash, is a folder, which gets a video of each episode.

    Args:
        store: The demonstrations.
        out: The path of the video, the sheet or the folder.
        episodes: The numbers of the episodes; all by default.

    Returns:
        That path.

    Raises:
        UserError: If the demonstrations have no camera, there is no such episode, or the file has another suffix or
            cannot be written.
    """
    name, out = str(out), Path(out)
    numbers = _chosen(store, episodes)
    chosen = map(store.read, numbers)
    cameras, fps = store.settings.observation.cameras, 1 / store.manifest.control_timestep
    if name.endswith("/") or not out.suffix:
        for number, episode in zip(numbers, chosen, strict=True):
            write_video(out / f"episode_{number:06d}.mp4", _frames([episode], cameras), fps)
    elif out.suffix == ".png":
        with written_aside(out) as aside:
            imageio.v3.imwrite(aside, _contact_sheet(chosen, cameras), extension=".png")
    elif out.suffix == ".mp4":
        write_video(out, _frames(chosen, cameras), fps)
    else:
        raise UserError(f"out={out}: name a video (.mp4) or a contact sheet (.png), or a folder for a video of each")
    return out


def _frames(episodes: Iterable[Episode], cameras: Sequence[str]) -> Iterator[Frame]:
    """Yields the images of episodes one after another, uint8 [H, W, 3], with the cameras side by side."""
    for episode in episodes:
        for step in range(episode.length + 1):
            yield _enlarge(_tile(episode, step, cameras))


def _contact_sheet(episodes: Iterable[Episode], cameras: Sequence[str]) -> Frame:
    rows = []
    for episode in episodes:
        moments = np.linspace(0, episode.length, _MOMENTS).round().astype(int)
        rows.append(np.hstack([_tile(episode, step, cameras) for step in moments]))
    return np.vstack(rows)


def _chosen(store: DemoStore, episodes: Sequence[int] | None) -> Sequence[int]:
    if not store.settings.observation.cameras:
        raise UserError(f"the demonstrations in {store.path} were recorded without a camera: there is nothing to see")
    numbers = range(len(store)) if episodes is None else episodes
    for number in numbers:
        if not 0 <= number < len(store):
            raise UserError(f"there is no episode {number} in {store.path}: choose from 0 to {len(store) - 1}")
    if not numbers:
        raise UserError(f"no episode of {store.path} was chosen: choose from 0 to {len(store) - 1}")
    return numbers


def _tile(episode: Episode, step: int, cameras: Sequence[str]) -> Frame:
    return np.hstack([episode.observation[camera][step] for camera in cameras])


def _enlarge(frame: Frame) -> Frame:
    """Repeats pixels until the frame has at least 256 rows."""
    factor = -(-_MIN_HEIGHT // frame.shape[0])
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)
