"""Demonstrations as replay, so that the expert's transitions are sampled just like the agent's."""

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay


def load_replay(
    store: DemoStore,
    n_step: int,
    early_steps: int,
    seed: int,
    holdout: int = 0,
    limit: int | None = None,
    priority_exponent: float | None = None,
    frame_stack: int = 1,
) -> tuple[MemoryReplay, list[Episode]]:
    """Reads demonstrations into memory.

    Args:
        store: The demonstrations.
        n_step: The window length of the transitions; see `MemoryReplay`.
        early_steps: The size of the early table; see `MemoryReplay`.
        seed: Seeds the sampling.
        holdout: How many episodes, the last ones, to hold out.
        limit: How many episodes, the first ones, to learn from; by default all except those held out.
        priority_exponent: The exponent of a prioritised replay; by default the replay is uniform.
        frame_stack: How many consecutive frames make a sampled image.

    Returns:
        The replay, and the held-out episodes.

    Raises:
        UserError: If there are too few demonstrations, or one is damaged.
    """
    wanted = count_learned_from(store, holdout, limit)
    replay = MemoryReplay(
        sum(row.length for row in store.manifest.episodes[:wanted]),
        n_step,
        early_steps,
        seed,
        prioritized=priority_exponent is not None,
        priority_exponent=priority_exponent or 0.0,
        frame_stack=frame_stack,
    )
    for episode in store.episodes(0, wanted):
        replay.add(episode)
    return replay, list(store.episodes(len(store) - holdout))


def count_learned_from(store: DemoStore, holdout: int = 0, limit: int | None = None) -> int:
    """How many demonstrations `load_replay` learns from.

    Raises:
        UserError: If there are too few.
    """
    available = len(store) - holdout
    wanted = available if limit is None else limit
    if holdout < 0 or not 1 <= wanted <= available:
        raise UserError(
            f"{store.path} holds {len(store)} demonstrations: with {holdout} kept back, "
            f"{'none is left' if available < 1 else f'one to {available} can be learned from, not {wanted}'}; "
            "record more, or keep back or ask for fewer"
        )
    return wanted


def first_states(store: DemoStore, episodes: int) -> list[NDArray[np.float64]]:
    """The simulator's states, [S] each, in which the first demonstrations started.

    Raises:
        UserError: If one of them is damaged, or has no states.
    """
    states = []
    for row, episode in zip(store.manifest.episodes, store.episodes(0, episodes), strict=False):
        if episode.state is None:
            raise UserError(
                f"{store.path / row.file} has no simulator states to begin from: it was recorded by an earlier "
                "version, or converted; record others, or train with env.seeded=false"
            )
        states.append(episode.state[0])
    return states
