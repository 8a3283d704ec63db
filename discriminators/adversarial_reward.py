"""The adversarially learned reward of GAIL and TRAIL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trailkit.discriminators.adam import Adam
from trailkit.discriminators.augmentation import Augmentation
from trailkit.discriminators.base import DiscriminatorLoss, Judgement, Logits, RewardFunction
from trailkit.discriminators.diagnostics import diagnose
from trailkit.discriminators.discriminator import Discriminator, newest_frame
from trailkit.discriminators.generators import make_generator, restore
from trailkit.discriminators.rewards import minus_log_one_minus_d
from trailkit.replay.transition import ImitationBatch, Observation, Transition


@dataclass(frozen=True)
class AdversarialRewardSettings:
    """How the discriminator is trained."""

    learning_rate: float = 1e-4  # of Adam


class AdversarialReward:
    """Trains a discriminator, and rewards the agent for frames that the discriminator takes for the expert's.

    Differences from the paper (TRAIL, sec. 3-4, app. B and H): means instead of sums over the batch, so that the
    batch size does not change the learning rate; rewards are recomputed at each sampling, which the paper leaves
    open. preset=cpu also limits rewards to 1.5 and the constraint's cross entropy to 32 nats, for the reasons in
    docs/recipe.md (preset=paper does not).
    """

    def __init__(
        self,
        discriminator: Discriminator,
        augmentation: Augmentation,
        loss: DiscriminatorLoss,
        reward: RewardFunction = minus_log_one_minus_d,
        settings: AdversarialRewardSettings | None = None,
        seed: int = 0,
    ) -> None:
        """Takes ownership of the discriminator.

        Args:
            discriminator: The discriminator to train.
            augmentation: Augments the training frames; rewards are computed from plain centre crops.
            loss: The loss to minimise, e.g. `with_accuracy_constraint(binary_cross_entropy)`.
            reward: The reward as a function of the logit.
            settings: The settings of the optimiser.
            seed: Seeds all random draws.
        """
        self.discriminator = discriminator.eval()
        self._augmentation = augmentation
        self._loss = loss
        self._reward = reward
        self.generator = make_generator(next(discriminator.parameters()).device, seed)
        learning_rate = (settings or AdversarialRewardSettings()).learning_rate
        self._optimizer = Adam(discriminator.trained.parameters(), learning_rate)

    def update(self, batch: ImitationBatch) -> dict[str, Tensor]:
        """Makes one update, with the frames of all four sources in one forward pass.

        It trains on the frames that it will reward, those after a step. They include an episode's last frame, which is
        rewarded many times over if the episode terminated. Constraining frames are those before a step.
        """
        self.discriminator.train()  # power iteration for spectral normalisation, if used, runs only in training mode
        judgement = self._judge(batch)
        loss = self._loss(judgement)
        self.discriminator.eval()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        with torch.no_grad():
            return {"disc_loss": loss.detach()} | diagnose(judgement.train, judgement.constraint)

    @torch.no_grad()
    def reward(self, transition: Transition, expert_rows: int = 0) -> Float[Tensor, "batch n"]:
        """Judges all next observations with the current weights."""
        cameras = self.discriminator.cameras
        shape = transition.next_observation[cameras[0]].shape[:2]
        frames = {camera: transition.next_observation[camera].flatten(0, 1) for camera in cameras}
        return self.rewards(frames).view(shape)

    @torch.no_grad()
    def rewards(self, frames: Observation) -> Float[Tensor, " batch"]:
        """The rewards for frames, uint8 [B, H, W, 3] a camera."""
        return self._reward(self.discriminator(frames))

    def weights(self) -> dict[str, Tensor]:
        """A copy of the discriminator's weights."""
        return {name: weight.detach().clone() for name, weight in self.discriminator.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """The states of discriminator, optimiser and generator."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimizer.load_state_dict(state["optimizer"])
        restore(self.generator, state["generator"])

    def _judge(self, batch: ImitationBatch) -> Judgement:
        cameras = self.discriminator.cameras
        sources = [_arrived_at(batch.train.expert, cameras), _arrived_at(batch.train.agent, cameras)]
        if batch.constraint is not None:
            sources += [batch.constraint.expert.observation, batch.constraint.agent.observation]
        joined = {camera: torch.cat([newest_frame(source[camera]) for source in sources]) for camera in cameras}
        augmented = self._augmentation(joined, self.generator)
        sizes = [len(source[cameras[0]]) for source in sources]
        expert, agent, *constraint = self.discriminator(augmented, self.generator).split(sizes)
        frames = {camera: images.split(sizes) for camera, images in augmented.items()}
        return Judgement(
            train=Logits(expert, agent),
            constraint=Logits(*constraint) if constraint else None,
            expert_frames={camera: parts[0] for camera, parts in frames.items()},
            agent_frames={camera: parts[1] for camera, parts in frames.items()},
            discriminator=self.discriminator,
            generator=self.generator,
        )


def _arrived_at(transition: Transition, cameras: Sequence[str]) -> Observation:
    """The frames after the first step of each transition."""
    return {camera: transition.next_observation[camera][:, 0] for camera in cameras}
