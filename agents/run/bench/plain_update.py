"""A full TRAIL update in plain code, as a first version: the other side of the learner's benchmark.

The same networks' heads, losses, optimisers, batches and augmentations as `Adversarial(AdversarialReward, D4PG)`, but
with the Nature encoder in the contiguous layout, images scaled before use, an encoder pass for each use (critic and
policy; target critic and target policy; each of the discriminator's sources; each step of the reward, agent's and
expert's), augmentations one operation after the other, and no fused optimiser. The constraint's ceiling and the
largest reward, which cost no time, are left out, and hyperparameters that change none are the defaults.
"""

import copy
import math
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trailkit.agents import losses
from trailkit.agents.adversarial import concatenate
from trailkit.agents.d4pg import D4PGSettings
from trailkit.agents.networks.heads import CriticHead, PolicyHead
from trailkit.discriminators.augmentation import AugmentationSettings
from trailkit.discriminators.losses import balanced_accuracy, cross_entropy
from trailkit.replay.transition import ImitationBatch, Transition


class PlainEncoder(nn.Module):
    """DQN's convolutions on contiguous [B, 3, H, W], Linear, LayerNorm, tanh."""

    def __init__(self, size: int, embedding: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
            nn.Flatten(),
        )
        width = self.convolutions(torch.zeros(1, 3, size, size)).shape[1]
        self.project = nn.Sequential(nn.Linear(width, embedding), nn.LayerNorm(embedding), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Embeds float32 [B, 3, H, W]."""
        output: Tensor = self.project(self.convolutions(images - 0.5))
        return output


def to_float(images: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [0, 1], contiguous."""
    return images.permute(0, 3, 1, 2).contiguous().float() / 255


def random_crop(images: Tensor, size: int) -> Tensor:
    """Crops each image at a random place."""
    slack = images.shape[-1] - size
    corners = torch.randint(slack + 1, (len(images), 2)).tolist()
    return torch.stack(
        [image[:, top : top + size, left : left + size] for image, (top, left) in zip(images, corners, strict=True)]
    )


def random_shift(images: Tensor, pixels: int) -> Tensor:
    """Pads by repeating the border, and crops."""
    return random_crop(F.pad(images, (pixels,) * 4, mode="replicate"), images.shape[-1])


def augment(images: Tensor, crop: int, settings: AugmentationSettings) -> Tensor:
    """Rotation, crop, brightness, contrast, saturation and noise, one by one."""
    angle = math.radians(settings.rotation) * (2 * torch.rand(len(images)) - 1)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(-1, 2, 3)
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    images = random_crop(F.grid_sample(images, grid, padding_mode="border", align_corners=False), crop)
    brightness, contrast, saturation = 2 * torch.rand(3, len(images), 1, 1, 1) - 1
    images = images + settings.brightness * brightness
    images = (images - 0.5) * (1 + settings.contrast * contrast) + 0.5
    grey = (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    images = grey + (images - grey) * (1 + settings.saturation * saturation)
    return images + settings.noise * torch.randn_like(images)


class PlainUpdate:
    """For one camera, "front", with square images."""

    def __init__(self, size: int, crop: int, proprio_size: int, action_size: int, embedding: int = 64) -> None:
        self.settings, self.strengths, self.crop = D4PGSettings(), AugmentationSettings(), crop
        self.encoder = PlainEncoder(size, embedding)
        self.policy = PolicyHead(embedding, proprio_size, action_size)
        self.critic = CriticHead(embedding, proprio_size, action_size)
        self.target_encoder, self.target_policy, self.target_critic = map(
            copy.deepcopy, (self.encoder, self.policy, self.critic)
        )
        self.average = copy.deepcopy(nn.ModuleList([self.encoder, self.policy]))
        self.disc_encoder = PlainEncoder(crop, embedding)
        self.disc_head = nn.Sequential(
            nn.Linear(embedding, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
        )
        self.critic_parameters = list(chain(self.encoder.parameters(), self.critic.parameters()))
        self.critic_optimizer = torch.optim.Adam(self.critic_parameters, lr=3e-4)
        self.policy_optimizer = torch.optim.Adam(self.policy.parameters(), lr=3e-4)
        self.disc_optimizer = torch.optim.Adam(
            chain(self.disc_encoder.parameters(), self.disc_head.parameters()), lr=1e-4
        )
        self.atoms = torch.linspace(-50, 150, 21)

    def step(self, batch: ImitationBatch) -> tuple[float, float, float]:
        """Makes one full update; returns the discriminator's, critic's and policy's losses."""
        disc_loss = self._update_discriminator(batch)
        agent, expert = (part._replace(reward=self._rewards(part)) for part in batch.train)
        return disc_loss, *self._update_agent(concatenate(agent, expert))

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.disc_head(self.disc_encoder(images))
        return logits.squeeze(1)

    def _update_discriminator(self, batch: ImitationBatch) -> float:
        assert batch.constraint is not None
        frames = [source.next_observation["front"][:, 0] for source in (batch.train.expert, batch.train.agent)]
        frames += [source.observation["front"] for source in (batch.constraint.expert, batch.constraint.agent)]
        expert, agent, constraint_expert, constraint_agent = (
            self._logits(augment(to_float(images), self.crop, self.strengths)) for images in frames
        )
        loss = cross_entropy(expert, agent)
        if balanced_accuracy(constraint_expert, constraint_agent) >= 0.5:
            loss = loss - cross_entropy(constraint_expert, constraint_agent)
        self.disc_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.disc_optimizer.step()
        return loss.item()

    @torch.no_grad()
    def _rewards(self, transition: Transition) -> Tensor:
        border = (transition.next_observation["front"].shape[2] - self.crop) // 2
        inside = slice(border, border + self.crop)
        rewards = []
        for step in range(transition.reward.shape[1]):
            images = to_float(transition.next_observation["front"][:, step])[:, :, inside, inside]
            real = step < transition.steps
            rewards.append(torch.where(real, F.softplus(self._logits(images)), 0.0))
        return torch.stack(rewards, 1)

    def _update_agent(self, batch: Transition) -> tuple[float, float]:
        rows = torch.arange(len(batch.steps))
        images = random_shift(to_float(batch.observation["front"]), self.settings.random_shift)
        images_t = random_shift(
            to_float(batch.next_observation["front"][rows, batch.steps - 1]), self.settings.random_shift
        )
        proprio, proprio_t = batch.observation["proprio"], batch.next_observation["proprio"][rows, batch.steps - 1]
        with torch.no_grad():
            action_t = self.target_policy(self.target_encoder(images_t), proprio_t)
            logits_t = self.target_critic(self.target_encoder(images_t), proprio_t, action_t)
        return_t, discount_t = losses.n_step_return(batch.reward, batch.discount, batch.steps, self.settings.gamma)
        logits = self.critic(self.encoder(images), proprio, batch.action)
        critic_loss = losses.categorical_td(logits, self.atoms, return_t, discount_t, logits_t).mean()
        self.critic_optimizer.zero_grad()
        critic_loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.critic_parameters, self.settings.max_grad_norm)
        self.critic_optimizer.step()

        with torch.no_grad():
            policy_features, critic_features = self.encoder(images), self.encoder(images)
        action = self.policy(policy_features, proprio)
        leaf = action.detach().requires_grad_()
        value = self.critic(critic_features, proprio, leaf).softmax(-1) @ self.atoms
        (dqda,) = torch.autograd.grad(value.sum(), leaf)
        policy_loss = losses.dpg(action, dqda, self.settings.max_dqda_norm).sum(-1).mean()
        self.policy_optimizer.zero_grad()
        policy_loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.policy.parameters(), self.settings.max_grad_norm)
        self.policy_optimizer.step()
        self._follow()
        return critic_loss.item(), policy_loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        pairs = (
            (self.target_encoder, self.encoder),
            (self.target_policy, self.policy),
            (self.target_critic, self.critic),
            (self.average, nn.ModuleList([self.encoder, self.policy])),
        )
        for target, online in pairs:
            for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                slow.mul_(1 - self.settings.target_tau).add_(fast, alpha=self.settings.target_tau)
