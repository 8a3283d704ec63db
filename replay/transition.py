"""What an agent learns from: n-step transitions, and the batches that imitation needs.

The same named tuples hold NumPy arrays where data is made and stored (actors, replay, demonstrations) and
torch tensors where it is learned from; `agents.base.as_tensors` is the only crossing.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

# One entry per camera, uint8 [..., height, width, 3], and "proprio", float32 [..., P].
Observation = Mapping[str, Any]


class Transition(NamedTuple):
    """A batch of n-step transitions, batch first.

    Rewards are kept step by step, not summed, because adversarial imitation computes them anew from
    `next_observation` each time a transition is sampled. A window that meets the end of its episode is
    shorter than n: `steps` counts its real steps, and what follows them is padding (reward 0, discount 1,
    the last observation again; of stacked frames, its newest one).
    """

    observation: Observation  # s_t: [B, ...]
    action: Any  # a_t: float32 [B, A], each entry in [-1, 1]
    reward: Any  # r_{t+1} .. r_{t+n}: float32 [B, n]
    discount: Any  # the environment's discounts (0 only where an episode terminated): float32 [B, n]
    next_observation: Observation  # s_{t+1} .. s_{t+n}: [B, n, ...]
    steps: Any  # how many of the n steps were taken: int64 [B], 1 <= steps <= n
    age: Any  # t, the steps since the episode began: int64 [B]
    key: Any  # the item's identity in its table, for priorities: int64 [B]
    weight: Any  # the table samples the item in proportion to it, 1 if uniformly: float64 [B]
    probability: Any  # with which it did, the weight's share of all: float64 [B]


class Pair(NamedTuple):
    """As many transitions of the agent's as of the expert's."""

    agent: Transition
    expert: Transition


class PrioritizedBatch(NamedTuple):
    """What one update consumes of transitions that are sampled by priority, the expert's last."""

    transition: Transition
    importance: Any  # weights that make up for the sampling, 1 if that was uniform: float32 [B]
    expert_rows: int


class ImitationBatch(NamedTuple):
    """What one adversarial update consumes."""

    train: Pair
    constraint: Pair | None = None  # TRAIL's I_A and I_E: frames that must not tell agent from expert


def select(transition: Transition, which: slice) -> Transition:
    """Some rows of a batch, as views of it."""
    parts = transition._asdict()
    observations = {
        name: {camera: values[which] for camera, values in parts[name].items()}
        for name in ("observation", "next_observation")
    }
    return Transition(
        **{name: values[which] for name, values in parts.items() if name not in observations}, **observations
    )
