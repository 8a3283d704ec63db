"""Batches of random transitions, for tests of what learns from them."""

import numpy as np

from trailkit.agents.base import as_tensors
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.agents.networks.heads import CriticHead, PolicyHead, PolicyNetwork
from trailkit.replay.transition import ImitationBatch, Pair, Transition

PROPRIO_SIZE = 5
ACTION_SIZE = 3
IMAGE_SIZE = 32
IMAGE_SIZES = {"front": (IMAGE_SIZE, IMAGE_SIZE)}


def random_transition(seed: int, batch: int = 4, n: int = 3) -> Transition:
    """Returns a batch as tensors, with windows of all lengths."""
    rng = np.random.default_rng(seed)

    def observation(*shape: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
        return {
            "front": rng.integers(0, 256, (*shape, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8),
            "proprio": rng.normal(size=(*shape, PROPRIO_SIZE)).astype(np.float32),
        }

    steps = rng.integers(1, n + 1, batch)
    real = np.arange(n) < steps[:, None]
    return as_tensors(
        Transition(
            observation=observation(batch),
            action=rng.uniform(-1, 1, (batch, ACTION_SIZE)).astype(np.float32),
            reward=np.where(real, rng.normal(size=(batch, n)), 0).astype(np.float32),
            discount=np.ones((batch, n), np.float32),
            next_observation=observation(batch, n),
            steps=steps,
            age=rng.integers(0, 50, batch),
            key=np.arange(batch),
            weight=np.ones(batch),
            probability=np.full(batch, 1.0),
        )
    )


def random_imitation_batch(seed: int) -> ImitationBatch:
    """Returns transitions of all four sources."""
    agent, expert, early_agent, early_expert = (random_transition(4 * seed + i) for i in range(4))
    return ImitationBatch(Pair(agent, expert), Pair(early_agent, early_expert))


def small_networks(hidden: tuple[int, int] = (32, 32), frame_stack: int = 1) -> tuple[PolicyNetwork, CriticHead]:
    """Returns networks for these transitions."""
    encoder = CompactEncoder(IMAGE_SIZES, embedding=32, frame_stack=frame_stack)
    sizes = encoder.embedding, PROPRIO_SIZE, ACTION_SIZE
    return PolicyNetwork(encoder, PolicyHead(*sizes, hidden=hidden)), CriticHead(*sizes, hidden=hidden)
