"""Summarises a folder of demonstrations, as numbers and as a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from trailkit.demos.manifest import VERSIONS, Manifest, source_of
from trailkit.demos.store import DemoStore
from trailkit.envs.settings import ActionSpace, EnvSettings
from trailkit.replay.episode import Episode

_BINS = 20  # of the histogram of actions
_BARS = " ▁▂▃▄▅▆▇█"
_ACTION_NAMES = {
    ActionSpace.CARTESIAN: ("x", "y", "z", "grip"),
    ActionSpace.JOINT: (*(f"arm {i}" for i in range(1, 7)), *(f"finger {i}" for i in range(1, 4))),
}


@dataclass(frozen=True)
class Summary:
    """A summary of the demonstrations in a folder."""

    path: Path
    manifest: Manifest
    lengths: NDArray[np.int64]  # [N], steps
    successes: NDArray[np.bool_]  # [N], whether the task was ever solved
    returns: NDArray[np.float64]  # [N]
    first_success: NDArray[np.int64]  # for each solved episode, the number of steps it took
    actions: NDArray[np.int64]  # [A, 20], how often each entry of the actions was in each twentieth of [-1, 1]
    states: int  # how many episodes have the simulator's states, from which they can be rendered again
    provenance: dict[str, int]  # in words, what recorded the episodes with which versions; and the number of episodes
    size: int  # bytes on disk

    @property
    def episodes(self) -> int:
        """The number of episodes."""
        return len(self.lengths)

    @property
    def steps(self) -> int:
        """The number of steps of all episodes."""
        return int(self.lengths.sum())

    def __rich__(self) -> Table:
        """The summary as `rich` prints it."""
        return _table(self)


def summary(store: DemoStore) -> Summary:
    """Reads every episode of a store and summarises them.

    Raises:
        UserError: If a file is damaged; names it.
    """
    rows = store.manifest.episodes
    first, actions, states = [], [], 0
    for episode in store.episodes():
        states += episode.state is not None
        first.append(np.flatnonzero(episode.success)[:1] + 1)
        actions.append(_histogram(episode))
    return Summary(
        path=store.path,
        manifest=store.manifest,
        lengths=np.array([row.length for row in rows]),
        successes=np.array([row.success for row in rows]),
        returns=np.array([row.episode_return for row in rows]),
        first_success=np.concatenate(first),
        actions=np.sum(actions, axis=0),
        states=states,
        provenance=Counter(_provenance(row.metadata, store.manifest) for row in rows),
        size=sum(row.size for row in rows),
    )


def _table(summary: Summary) -> Table:
    settings, manifest = summary.manifest.settings, summary.manifest
    observation = settings.observation
    seen = [f"{camera} {observation.height}x{observation.width}" for camera in observation.cameras]
    lines = Table(title=f"demonstrations in {summary.path}", show_header=False)
    lines.add_row("task", settings.task)
    lines.add_row("episodes", f"{summary.episodes}, {summary.size / 1e6:.1f} MB")
    lines.add_row(
        "steps", f"{summary.steps}, {_range(summary.lengths)} an episode, of {settings.episode_steps} at most"
    )
    lines.add_row("success", f"{summary.successes.mean():.1%}")
    lines.add_row("return", f"{summary.returns.mean():.1f} on average, {_range(summary.returns)}")
    if len(summary.first_success):
        median = np.median(summary.first_success)
        lines.add_row("first solved", f"after {median:g} steps (median), {_range(summary.first_success)}")
    lines.add_row("observation", ", ".join(seen + ["proprioception"] * observation.proprioception))
    space = settings.action_space if settings.external is None else settings.external.origin
    lines.add_row("actions", f"{space}, {1 / manifest.control_timestep:g} Hz; from -1 to 1:")
    for name, counts in zip(_action_names(settings, len(summary.actions)), summary.actions, strict=True):
        lines.add_row(f"  {name}", _sparkline(counts))
    lines.add_row(
        "states", f"in {summary.states} of {summary.episodes} episodes: trailkit demos render draws those anew"
    )
    lines.add_row("recorded", f"from {manifest.created} on")
    for words, count in summary.provenance.items():
        lines.add_row(f"  {count} by", words)
    return lines


def _action_names(settings: EnvSettings, size: int) -> Sequence[str]:
    if settings.external is not None:
        return [f"action {i}" for i in range(1, size + 1)]
    return _ACTION_NAMES[settings.action_space]


def _provenance(metadata: Mapping[str, Any], manifest: Manifest) -> str:
    """In words, what recorded an episode and with which versions; if it does not tell, what the manifest says."""
    source, versions = source_of(metadata) or manifest.source, metadata.get(VERSIONS, manifest.versions)
    return f"{_pairs(source)}; {_pairs(versions)}"


def _histogram(episode: Episode) -> NDArray[np.int64]:
    counts = [np.histogram(column, bins=_BINS, range=(-1.0, 1.0))[0] for column in episode.action.T]
    return np.array(counts, np.int64)


def _sparkline(counts: NDArray[np.int64]) -> str:
    """One bar per bin; a bin that is not empty always shows one."""
    heights = np.ceil(counts / max(1, counts.max()) * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[height] for height in heights)


def _range(values: NDArray[np.int64] | NDArray[np.float64]) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
