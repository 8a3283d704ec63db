"""The contract of a discriminator's loss as a test: for trailkit's own losses and for users'."""

import torch
from torch import Tensor

from trailkit.discriminators.base import DiscriminatorLoss, Judgement, Logits
from trailkit.replay.transition import Observation

_BATCH = 6
_SIDE = 8  # pixels
_SURE = 100.0  # a logit whose sigmoid is 1 in float32; the sigmoid of its negative is almost 0


def check_loss(loss: DiscriminatorLoss) -> None:
    """Checks everything that trailkit relies on in the loss that `discriminator.loss` names.

    The loss is a finite scalar with finite gradients, however confident the discriminator is; minimising it raises the
    logits of the expert's training frames above the agent's; and all its random draws come from the judgement's own
    generator, so that a resumed run draws the same.

    Args:
        loss: Maps a `Judgement` to a scalar.

    Raises:
        AssertionError: Names what is violated.
    """
    with torch.random.fork_rng(devices=[]):
        for scale in (1.0, _SURE, -_SURE):
            judgement = made_up_judgement(scale)
            value = loss(judgement)
            assert isinstance(value, Tensor), f"it gives a {type(value).__name__}: a tensor without axes is expected"
            assert value.shape == (), f"it has the shape {list(value.shape)}: a tensor without axes is expected"
            assert value.isfinite(), f"it is {value.item()} at logits of about {scale:g}"
            assert value.requires_grad, "it has no gradient: use the judgement's own tensors"
            expert, agent = torch.autograd.grad(value, judgement.train, allow_unused=True)
            assert expert is not None and agent is not None, "the training logits of one of both sources have no effect"
            finite = expert.isfinite().all() and agent.isfinite().all()
            assert finite, f"its gradient at logits of about {scale:g} is not finite"
            if scale == 1.0:
                assert expert.mean() < agent.mean(), "minimising it does not raise the expert's logits over the agent's"
            again = loss(made_up_judgement(scale))
            assert again == value, "it is another the second time: draw from the judgement's generator alone"


def made_up_judgement(scale: float = 1.0) -> Judgement:
    """A judgement of random values, always the same: logits [6] of about `scale`, and 8x8 frames of one camera.

    Args:
        scale: The scale of the logits; if negative, the discriminator takes the expert for the agent.
    """
    generator = torch.Generator().manual_seed(0)

    def pair() -> Logits:
        expert, agent = scale * torch.rand(2, _BATCH, generator=generator)
        return Logits(expert.requires_grad_(), (-agent).requires_grad_())

    def frames() -> Observation:
        return {"front": torch.rand(_BATCH, _SIDE, _SIDE, 3, generator=generator)}

    weight = torch.randn(_SIDE, _SIDE, 3, generator=generator).requires_grad_()

    def discriminator(observation: Observation) -> Tensor:
        logits: Tensor = (observation["front"] * weight).sum((1, 2, 3))
        return logits

    return Judgement(pair(), pair(), frames(), frames(), discriminator, generator)
