"""The heads on an embedding of the pixels: the policy's and the critic's (TRAIL, app. H, Fig. 19)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trailkit.agents.networks.encoders import Encoder
from trailkit.replay.transition import Observation

Features = Float[Tensor, "batch embedding"]
Proprioception = Float[Tensor, "batch proprio"]


def proprioception(observation: Observation, features: Features) -> Proprioception:
    """Returns the observation's proprioception, of width 0 if it has none."""
    return observation["proprio"] if "proprio" in observation else features.new_empty(len(features), 0)


def _near_zero(layer: nn.Linear) -> nn.Linear:
    """Makes the initial outputs nearly equal for all inputs, so that no action is preferred before learning."""
    nn.init.uniform_(layer.weight, -1e-3, 1e-3)
    nn.init.zeros_(layer.bias)
    return layer


class PolicyHead(nn.Module):
    """Maps features and proprioception to actions in [-1, 1].

    Proprioception -> Linear -> LayerNorm -> ReLU; concatenated with the features -> Linear -> ReLU -> Linear -> tanh.
    Without proprioception (size 0) its branch is empty and only the features are used.
    """

    def __init__(
        self, embedding: int, proprio_size: int, action_size: int, hidden: tuple[int, int] = (300, 200)
    ) -> None:
        super().__init__()
        first, second = hidden
        self.body = (
            nn.Sequential(nn.Linear(proprio_size, first), nn.LayerNorm(first), nn.ReLU())
            if proprio_size
            else nn.Identity()
        )
        self.joint = nn.Sequential(
            nn.Linear(embedding + (first if proprio_size else 0), second),
            nn.ReLU(),
            _near_zero(nn.Linear(second, action_size)),
            nn.Tanh(),
        )

    def forward(self, features: Features, proprio: Proprioception) -> Float[Tensor, "batch action"]:
        """Returns the actions."""
        action: Tensor = self.joint(torch.cat([self.body(proprio), features], 1))
        return action


class CriticHead(nn.Module):
    """Maps features, proprioception and an action to the logits of the return distribution.

    Action and proprioception -> Linear -> LayerNorm; concatenated with the features -> Linear -> ReLU -> Linear.
    """

    def __init__(
        self, embedding: int, proprio_size: int, action_size: int, atoms: int = 21, hidden: tuple[int, int] = (400, 300)
    ) -> None:
        super().__init__()
        self.atoms = atoms
        first, second = hidden
        self.body = nn.Sequential(nn.Linear(action_size + proprio_size, first), nn.LayerNorm(first))
        self.joint = nn.Sequential(
            nn.Linear(embedding + first, second), nn.ReLU(), _near_zero(nn.Linear(second, atoms))
        )

    def forward(
        self, features: Features, proprio: Proprioception, action: Float[Tensor, "batch action"]
    ) -> Float[Tensor, "batch atoms"]:
        """Returns the logits, one per atom of the support."""
        logits: Tensor = self.joint(torch.cat([self.body(torch.cat([action, proprio], 1)), features], 1))
        return logits


class PolicyNetwork(nn.Module):
    """An encoder and a policy head: everything needed for acting."""

    def __init__(self, encoder: Encoder, head: PolicyHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, observation: Observation) -> Float[Tensor, "batch action"]:
        """Returns the actions for a batch of observations."""
        features = self.encoder(observation)
        action: Tensor = self.head(features, proprioception(observation, features))
        return action
