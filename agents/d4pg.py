"""D4PG on pixels: a categorical critic and a deterministic policy with a shared encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trailkit.agents import losses
from trailkit.agents.base import Parameters, as_floats
from trailkit.agents.diagnostics import spread
from trailkit.agents.networks.augment import RandomColours, RandomShift
from trailkit.agents.networks.averaging import follow, follower
from trailkit.agents.networks.heads import CriticHead, PolicyNetwork, proprioception
from trailkit.discriminators.adam import Adam
from trailkit.discriminators.generators import make_generator, restore
from trailkit.replay.transition import Observation, Transition


@dataclass(frozen=True)
class D4PGSettings:
    """Hyperparameters; comments give the paper's values where they differ (TRAIL, Table 3)."""

    gamma: float = 0.99  # discount per step
    v_min: float = -50.0  # first atom of the critic's support
    v_max: float = 150.0  # last atom
    learning_rate_policy: float = 3e-4  # Adam; paper 1e-4
    learning_rate_critic: float = 3e-4  # Adam, encoder included; paper 1e-4
    target_period: int = 1  # updates between moves of the target networks; paper 100
    target_tau: float = 0.01  # how far they move; paper 1, a copy
    average_tau: float = 0.01  # how fast the averaged policy follows; paper 1, the policy itself
    max_dqda_norm: float | None = 1.0  # acme's; the paper says nothing
    max_grad_norm: float = 40.0  # acme's; the paper says nothing
    random_shift: int = 3  # pixels, at most; paper 0
    random_colours: bool = False  # of the images
    bc_weight: float = 0.0  # of behaviour cloning on the expert's rows in the policy's loss; paper 0
    one_step_weight: float = 0.0  # of the one-step loss beside the n-step one, of weighted rows (DDPGfD); paper 0
    weight_decay: float = 0.0  # L2, of all networks (DDPGfD); paper 0


class D4PG:
    """Learns from n-step transitions: each batch gives one update of critic, encoder and policy.

    Differences from the paper (TRAIL, app. H; D4PG, Barth-Maron et al. 2018):

    1. The support is linspace(smallest, largest, atoms) and the bootstrapped atoms are scaled by gamma^n: the
       formulas as printed omit both; acme and rlax do not.
    2. Target networks follow by Polyak averaging instead of a copy every 100 updates, and a Polyak-averaged policy acts
       and is evaluated: this reduces the swings between good and bad policies.
    3. Adam's learning rates are 3e-4 instead of 1e-4: training budgets here are minutes.
    4. The images of the RL batch are shifted randomly, as in DrQ-v2; the paper augments only the discriminator's.
    5. dQ/da is clipped to norm 1 and gradients to norm 40, as in acme, which the authors used.
    6. Only the critic's loss trains the encoder (acme's choice; the paper does not say).
    7. The action passes through a tanh, which Fig. 19 does not show. `bc_weight`, `one_step_weight` and `weight_decay`
       add terms that the paper does not have.
    8. preset=cpu uses 3-step returns, gamma 0.98, a support from -75 to 75 and batches of 32 + 32, for the reasons in
       docs/recipe.md; the paper uses one step, 0.99, -50 to 150 and 256 + 256 (preset=paper).
    """

    def __init__(
        self, policy: PolicyNetwork, critic: CriticHead, settings: D4PGSettings | None = None, seed: int = 0
    ) -> None:
        """Takes ownership of the networks, on their current device.

        Args:
            policy: The encoder, shared with the critic, and the policy's head.
            critic: The critic's head; it has one output per atom.
            settings: The hyperparameters.
            seed: Seeds the random shifts and colours.
        """
        self.settings = settings or D4PGSettings()
        self._policy, self._critic = policy, critic
        self._target_policy, self._target_critic = follower(policy), follower(critic)
        self._average = follower(policy)
        self._critic_parameters = [*policy.encoder.parameters(), *critic.parameters()]
        self._policy_parameters = list(policy.head.parameters())
        decay = self.settings.weight_decay
        self._critic_optimizer = Adam(self._critic_parameters, self.settings.learning_rate_critic, decay)
        self._policy_optimizer = Adam(self._policy_parameters, self.settings.learning_rate_policy, decay)
        self._atoms = torch.linspace(
            self.settings.v_min,
            self.settings.v_max,
            critic.atoms,
            device=self._policy_parameters[0].device,
        )
        self._shift = RandomShift(self.settings.random_shift)
        self._recolour = RandomColours() if self.settings.random_colours else None
        self.generator = make_generator(self._atoms.device, seed)
        self._steps = 0
        self.surprise: Float[Tensor, " batch"] = torch.empty(0)
        """The last batch's squared one-step error of the value plus |dQ/da|^2, per row, if the rows had weights."""

    def step(
        self, batch: Transition, expert_rows: int = 0, importance: Float[Tensor, " batch"] | None = None
    ) -> dict[str, float]:
        """Makes one update, then moves the target networks and the averaged policy; see `update`."""
        metrics = self.update(batch, expert_rows, importance)
        self.follow()
        return as_floats(metrics)

    def update(
        self, batch: Transition, expert_rows: int = 0, importance: Float[Tensor, " batch"] | None = None
    ) -> dict[str, Tensor]:
        """Updates critic, encoder and policy; without `importance` always by the same operations, as `Graphed` needs.

        Args:
            batch: The transitions, as tensors.
            expert_rows: How many rows at the end of the batch are the expert's.
            importance: The rows' loss weights, if they were sampled by priority.

        Returns:
            Losses, values, rewards, gradient norms and the spread of the policy's actions: scalars on its device.
        """
        observation = self._augment(batch.observation)
        features = self._policy.encoder(observation)
        proprio = proprioception(observation, features)
        logits = self._critic(features, proprio, batch.action)
        target = self._target(batch)
        value = logits.detach().softmax(-1) @ self._atoms
        row_losses = losses.cross_entropy(logits, target)
        if importance is None:
            importance = torch.ones_like(row_losses)
        else:
            near = self._target(_first_steps(batch))
            row_losses = row_losses + self.settings.one_step_weight * losses.cross_entropy(logits, near)
            dqda = self._dqda(features.detach(), proprio, batch.action)
            self.surprise = (near @ self._atoms - value).square() + dqda.square().sum(-1)
        critic_loss = (importance * row_losses).mean()
        # The features are detached: the policy loss must not change the encoder, which only the critic loss trains.
        action = self._policy.head(features.detach(), proprio)
        policy_loss = self._policy_loss(features.detach(), proprio, action, batch.action, expert_rows, importance)

        return {
            "critic_loss": critic_loss.detach(),
            "policy_loss": policy_loss.detach(),
            "critic_gradient_norm": self._descend(critic_loss, self._critic_optimizer, self._critic_parameters),
            "policy_gradient_norm": self._descend(policy_loss, self._policy_optimizer, self._policy_parameters),
            "q_mean": value.mean(),
            "target_mean": (target @ self._atoms).mean(),
            "bottom_atom_mass": target[:, 0].mean(),
            "top_atom_mass": target[:, -1].mean(),
            **_reward_means(batch, expert_rows),
            **spread(action),
        }

    def follow(self) -> None:
        """Moves the averaged policy and, every `target_period` updates, the target networks."""
        self._steps += 1
        follow(self._average, self._policy, self.settings.average_tau)
        if self._steps % self.settings.target_period == 0:
            follow(self._target_policy, self._policy, self.settings.target_tau)
            follow(self._target_critic, self._critic, self.settings.target_tau)

    @property
    def atoms(self) -> Float[Tensor, " atoms"]:
        """The returns on which the critic's distributions are defined."""
        return self._atoms

    @torch.no_grad()
    def distribution(
        self, observation: Observation, action: Float[Tensor, "batch action"]
    ) -> Float[Tensor, "batch atoms"]:
        """The critic's return distribution for the observations and actions."""
        features = self._policy.encoder(observation)
        probabilities: Tensor = self._critic(features, proprioception(observation, features), action).softmax(-1)
        return probabilities

    def parameters(self) -> Parameters:
        """A copy of the averaged policy, encoder included."""
        return {"policy": {name: weight.clone() for name, weight in self._average.state_dict().items()}}

    def state_dict(self) -> dict[str, Any]:
        """The states of networks, optimisers, generator and counter."""
        stateful = {name: part.state_dict() for name, part in self._parts().items()}
        return stateful | {"generator": self.generator.get_state(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        restore(self.generator, state["generator"])
        self._steps = state["steps"]

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {
            "policy": self._policy,
            "critic": self._critic,
            "target_policy": self._target_policy,
            "target_critic": self._target_critic,
            "average": self._average,
            "policy_optimizer": self._policy_optimizer,
            "critic_optimizer": self._critic_optimizer,
        }

    def _augment(self, observation: Observation) -> Observation:
        shifted = self._shift(observation, self.generator)
        return shifted if self._recolour is None else self._recolour(shifted, self.generator)

    @torch.no_grad()
    def _target(self, batch: Transition) -> Float[Tensor, "batch atoms"]:
        """Returns the distribution of the n-step return, bootstrapped at the end of the window."""
        observation_t = self._augment(_last_observation(batch))
        features_t = self._target_policy.encoder(observation_t)
        proprio_t = proprioception(observation_t, features_t)
        logits_t = self._target_critic(features_t, proprio_t, self._target_policy.head(features_t, proprio_t))
        return_t, discount_t = losses.n_step_return(batch.reward, batch.discount, batch.steps, self.settings.gamma)
        return losses.categorical_target(self._atoms, return_t, discount_t, logits_t)

    def _policy_loss(
        self,
        features: Float[Tensor, "batch embedding"],
        proprio: Float[Tensor, "batch proprio"],
        action: Float[Tensor, "batch action"],
        batch_action: Float[Tensor, "batch action"],
        expert_rows: int,
        importance: Float[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        dqda = self._dqda(features, proprio, action)
        loss = (importance * losses.dpg(action, dqda, self.settings.max_dqda_norm).sum(-1)).mean()
        if expert_rows and self.settings.bc_weight:
            cloning = losses.behaviour_cloning(action[-expert_rows:], batch_action[-expert_rows:])
            loss = loss + self.settings.bc_weight * (importance[-expert_rows:] * cloning).mean()
        return loss

    def _dqda(
        self,
        features: Float[Tensor, "batch embedding"],
        proprio: Float[Tensor, "batch proprio"],
        action: Float[Tensor, "batch action"],
    ) -> Float[Tensor, "batch action"]:
        """Returns the gradient of the value with respect to the actions."""
        leaf = action.detach().requires_grad_()
        value = (self._critic(features, proprio, leaf).softmax(-1) @ self._atoms).sum()
        (dqda,) = torch.autograd.grad(value, leaf)
        return dqda

    def _descend(
        self, loss: Float[Tensor, ""], optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]
    ) -> Float[Tensor, ""]:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(parameters, self.settings.max_grad_norm)
        optimizer.step()
        return norm.detach()


def _last_observation(batch: Transition) -> Observation:
    """Returns the observation at the end of each row's window."""
    n = batch.reward.shape[1]
    last = torch.arange(len(batch.steps), device=batch.steps.device) * n + batch.steps - 1
    # A single index into whole frames: indexing by row and step would copy byte by byte.
    return {name: values.flatten(0, 1).index_select(0, last) for name, values in batch.next_observation.items()}


def _first_steps(batch: Transition) -> Transition:
    """Returns the first step of each window, as a window of one step."""
    return batch._replace(
        reward=batch.reward[:, :1],
        discount=batch.discount[:, :1],
        next_observation={name: values[:, :1] for name, values in batch.next_observation.items()},
        steps=torch.ones_like(batch.steps),
    )


def _reward_means(batch: Transition, expert_rows: int) -> dict[str, Tensor]:
    """Returns the mean reward per real step, by source."""
    split = len(batch.steps) - expert_rows
    reward, steps = batch.reward.sum(1), batch.steps
    means = {}
    if split:
        means["reward_mean_agent"] = reward[:split].sum() / steps[:split].sum()
    if expert_rows:
        means["reward_mean_expert"] = reward[split:].sum() / steps[split:].sum()
    return means
