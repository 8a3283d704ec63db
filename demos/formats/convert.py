"""Converts demonstrations from one format to another."""

from pathlib import Path

import numpy as np

from trailkit.demos.edit import check_free, new_folder
from trailkit.demos.extra import extra
from trailkit.demos.formats.adopt import Words, adopt
from trailkit.demos.formats.base import Format
from trailkit.demos.match import check_fits
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.envs.errors import UserError, unknown
from trailkit.replay.episode import Episode, check_episode

# The libraries of a format are imported only when it is used.
# ruff: noqa: PLC0415

NAMES = ("robomimic", "lerobot", "minari")


def make_format(name: str, video: bool = True) -> Format:
    """Makes a format by its name.

    Args:
        name: One of `NAMES`.
        video: Whether LeRobot's images are written as lossy video instead of PNG.

    Raises:
        UserError: If there is no such format, or its libraries are not installed.
    """
    with extra("formats"):
        match name:
            case "robomimic":
                from trailkit.demos.formats.robomimic import Robomimic

                return Robomimic()
            case "lerobot":
                from trailkit.demos.formats.lerobot import LeRobot
                from trailkit.demos.formats.lerobot_pictures import Images, Videos

                return LeRobot(Videos if video else Images)
            case "minari":
                from trailkit.demos.formats.minari import Minari

                return Minari()
    raise unknown("format", name, NAMES)


def export(store: DemoStore, to: Format, out: Path, track: Track = untracked) -> int:
    """Writes all demonstrations of a store in another format; `track` shows the progress.

    Returns:
        The number of demonstrations.

    Raises:
        UserError: If `out` exists or cannot be written, or a camera's name has a slash; no partial output is left.
    """
    check_free(out)
    if slashed := [camera for camera in store.settings.observation.cameras if "/" in camera]:
        raise UserError(f"the formats of others have no names with a slash, as the camera {slashed[0]} has")
    to.write(store, out, track)
    return len(store)


def bring_in(path: Path, source: Format, out: Path, words: Words, track: Track = untracked) -> int:
    """Converts demonstrations in another format to a folder of trailkit's.

    What trailkit itself wrote is restored as it was recorded, and needs no `words`; see `adopt` for everything else.
    `track` shows the progress.

    Returns:
        The number of demonstrations.

    Raises:
        UserError: If they cannot be used, or `out` exists or cannot be written; no partial output is left.
    """
    check_free(out)
    if not path.exists():
        raise UserError(f"{path} does not exist: name the file or folder to convert")
    contents = source.read(path)
    manifest, episodes = contents.manifest, contents.episodes
    if manifest is None:
        manifest, episodes = adopt(contents, words, path)
    elif words != Words():
        raise UserError(f"{path} was recorded by trailkit and says itself of which environment: leave that out")
    with new_folder(out) as aside:
        manifest.save(aside)
        store = DemoStore(aside, manifest, manifest.source)
        for number, episode in enumerate(track(episodes, contents.total)):
            _append(store, episode, f"{path}, demonstration {number}")
        if not len(store):
            raise UserError(f"{path} holds no demonstrations")
    return len(store)


def _append(store: DemoStore, episode: Episode, where: str) -> None:
    try:
        check_episode(episode)
        check_fits(episode, store.settings)
        if np.abs(episode.action).max() > 1:  # possible if it was changed after trailkit wrote it
            raise UserError("its actions go beyond -1 and 1, between which trailkit's lie")
        store.append(episode)
    except UserError as error:
        # The store's own message says that earlier episodes are safe; here they are removed with the folder.
        raise UserError(f"{where}: {error.__cause__ or error}") from error
