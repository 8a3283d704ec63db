"""Renders demonstrations again from the simulator's states, for other cameras or at another size."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.edit import new_folder
from trailkit.demos.match import ENVIRONMENT
from trailkit.demos.store import DemoStore
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings
from trailkit.replay.episode import Episode

_log = logging.getLogger(__name__)


def rerender(
    store: DemoStore,
    out: str | Path,
    cameras: Sequence[str] | None = None,
    height: int | None = None,
    width: int | None = None,
    appearance: Sequence[str] | None = None,
) -> Iterator[int]:
    """Copies demonstrations into a new folder with other images; yields the number of finished episodes after each.

    Everything else in an episode is kept exactly, except for the environment in its metadata.

    Args:
        store: The demonstrations.
        out: The new folder; it exists, complete, once all are done.
        cameras: The cameras to render; by default the same.
        height: The height of an image, in pixels; by default the same.
        width: The width, likewise.
        appearance: Fixed changes of the look (`trailkit.envs.settings.Appearance`); by default the same.

    Raises:
        UserError: If an episode has no states, is damaged, or has states of another model; if there is no such camera,
            appearance or size, or nothing can be rendered here; if the folder exists or cannot be written.
    """
    before = store.settings.observation
    observation = replace(
        before,
        cameras=before.cameras if cameras is None else tuple(cameras),
        height=before.height if height is None else height,
        width=before.width if width is None else width,
    )
    if not observation.cameras:
        raise UserError("no camera is named: say which to draw, for instance cameras=[front,wrist]")
    appearance = store.settings.appearance if appearance is None else tuple(appearance)
    if store.settings.distract:
        _log.warning(
            "the new pictures are without env.distract=[%s]: what is otherwise in each episode is drawn as it begins",
            ",".join(store.settings.distract),
        )
    settings = replace(store.settings, observation=observation, appearance=appearance, distract=())
    store.check(store.settings)  # logs a warning if another simulator version may render differently
    return _draw(store, Path(out), settings)


def _draw(store: DemoStore, out: Path, settings: EnvSettings) -> Iterator[int]:
    with new_folder(out) as aside, make_environment(settings) as env:
        manifest = replace(store.manifest, settings=settings, episodes=())  # keeps the versions of the recording
        manifest.save(aside)
        drawn = DemoStore(aside, manifest, manifest.source)
        for number, episode in enumerate(store.episodes(), start=1):
            if episode.state is None:
                raise UserError(
                    f"{store.path / store.manifest.episodes[number - 1].file} has no simulator states from which it "
                    "could be drawn: it was recorded by an earlier version, or converted; record others"
                )
            try:
                drawn.append(_redrawn(env, episode, episode.state))
            except UserError as error:  # says that earlier episodes are safe; here they go with the folder
                raise UserError(f"{out}: {error.__cause__ or error}") from error
            yield number


def _redrawn(env: Environment, episode: Episode, states: NDArray[np.float64]) -> Episode:
    moments = []
    for state in states:
        env.set_state(state)
        moments.append(env.observe())
    cameras = env.settings.observation.cameras
    pictures = {camera: np.stack([moment[camera] for moment in moments]) for camera in cameras}
    rest = {name: values for name, values in episode.observation.items() if name == "proprio"}
    metadata = {**episode.metadata, ENVIRONMENT: env.settings.to_dict()}
    return episode._replace(observation={**pictures, **rest}, metadata=metadata)
