"""The interfaces of agents: what acts, what learns, and what is exchanged between the two."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from trailkit.replay.transition import Observation

Action = NDArray[np.float32]
Metrics = Mapping[str, float]
# Named groups of weights, each a flat state dict: {"policy": …, "discriminator": …}.
Parameters = Mapping[str, Mapping[str, torch.Tensor]]

Batch_contra = TypeVar("Batch_contra", contravariant=True)
Tree = TypeVar("Tree")


def as_tensors(tree: Tree, device: torch.device | str = "cpu") -> Tree:
    """Converts the NumPy arrays in nested tuples and mappings to tensors: the only conversion from data to learning.

    On the CPU a writeable array is not copied: the tensor shares its memory. Named tuples keep their types; `None` and
    numbers are unchanged.
    """
    return cast(Tree, _as_tensors(tree, torch.device(device)))


def _as_tensors(node: Any, device: torch.device) -> Any:
    match node:
        case np.ndarray():
            return torch.from_numpy(node if node.flags.writeable else node.copy()).to(device, non_blocking=True)
        case Mapping():
            return {name: _as_tensors(value, device) for name, value in node.items()}
        case tuple():
            parts = [_as_tensors(part, device) for part in node]
            return type(node)(*parts) if type(node) is not tuple else tuple(parts)
        case _:
            return node


def as_floats(metrics: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Reads all scalars from their device at once, since each read waits for all pending work on it."""
    return dict(zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True))


@runtime_checkable
class Policy(Protocol):
    """Chooses actions for one environment."""

    def reset(self) -> None:
        """Starts an episode (exploration noise may be drawn once per episode)."""

    def act(self, observation: Observation) -> Action:
        """Returns an action, float32 [A] in [-1, 1], for an unbatched observation."""

    def load(self, parameters: Parameters) -> None:
        """Loads the weights that a learner published."""


@runtime_checkable
class StopRule(Protocol):
    """Decides when an actor ends an episode before its time limit."""

    def load(self, parameters: Parameters) -> None:
        """Loads the weights that a learner published."""

    def reset(self) -> None:
        """Starts an episode."""

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Whether the episode ends with this observation, which came with this environment reward."""


@runtime_checkable
class Learner(Protocol[Batch_contra]):
    """Learns from batches of tensors: `Transition` for BC, `ImitationBatch` and `PrioritizedBatch` for the others."""

    def step(self, batch: Batch_contra) -> Metrics:
        """Makes one update and returns its metrics."""

    def parameters(self) -> Parameters:
        """The weights that actors need."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs to continue exactly: networks, optimisers, counters."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""


class Snapshot(NamedTuple):
    """Published weights and their version (the learner step that produced them)."""

    version: int
    parameters: Parameters


class ParameterSource(Protocol):
    """Provides weights to actors."""

    def latest(self) -> Snapshot:
        """Returns the newest weights."""


class ParameterSink(Protocol):
    """Receives the weights that learners publish."""

    def publish(self, snapshot: Snapshot) -> None:
        """Makes these weights the newest."""
