"""What an agent learns from: n-step transitions, and the batches for imitation.

The same named tuples hold NumPy arrays where data is made and stored (actors, replay, demonstrations) and torch
tensors where it is used for learning; `agents.base.as_tensors` is the only conversion.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# One entry per camera, uint8 [..., height, width, 3], and "proprio", float32 [..., P].
Observation = Mapping[str, Any]


class Transition(NamedTuple):
    """A batch of n-step transitions, batch first.

    Rewards are kept per step, not summed, because adversarial imitation recomputes them from `next_observation`
    each time a transition is sampled. A window that reaches the end of its episode is shorter than n: `steps` counts
    its real steps, and the rest is padding (reward 0, discount 1, the last observation repeated; of stacked frames,
    the newest one).
    """

    observation: Observation  # s_t: [B, ...]
    action: Any  # a_t: float32 [B, A], each entry in [-1, 1]
    reward: Any  # r_{t+1} .. r_{t+n}: float32 [B, n]
    discount: Any  # the environment's discounts (0 only where an episode terminated): float32 [B, n]
    next_observation: Observation  # s_{t+1} .. s_{t+n}: [B, n, ...]
    steps: Any  # how many of the n steps were taken: int64 [B], 1 <= steps <= n
    age: Any  # t, the steps since the episode began: int64 [B]
    key: Any  # the item's identity in its table, for priorities: int64 [B]
    weight: Any  # the item's sampling weight, 1 if the table is uniform: float64 [B]
    probability: Any  # the item's sampling probability, its share of the total weight: float64 [B]


class Pair(NamedTuple):
    """Equally many transitions of the agent and of the expert."""

    agent: Transition
    expert: Transition


class PrioritizedBatch(NamedTuple):
    """What one update uses when transitions are sampled by priority; the expert's come last."""

    transition: Transition
    importance: Any  # weights that correct for non-uniform sampling, 1 if it was uniform: float32 [B]
    expert_rows: int


class ImitationBatch(NamedTuple):
    """What one adversarial update uses."""

    train: Pair
    constraint: Pair | None = None  # TRAIL's I_A and I_E: frames that must not distinguish agent from expert


def select(transition: Transition, which: slice) -> Transition:
    """Some rows of a batch, as views."""
    parts = transition._asdict()
    observations = {
        name: {camera: values[which] for camera, values in parts[name].items()}
        for name in ("observation", "next_observation")
    }
    return Transition(
        **{name: values[which] for name, values in parts.items() if name not in observations}, **observations
    )
