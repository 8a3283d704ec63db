"""Diagnostics of adversarial training: accuracies, mean D and logits by source, and D on held-out frames."""

import torch
from jaxtyping import Float
from torch import Tensor

from trailkit.discriminators.base import Logits
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.losses import balanced_accuracy
from trailkit.replay.transition import Observation

LOGIT_LIMIT = 4  # the ends of the histograms, where D is 1/56 and 55/56
LOGIT_BINS = 16


def diagnose(train: Logits, constraint: Logits | None) -> dict[str, Tensor]:
    """Returns scalars: accuracies, whether the constraint fired, and mean D and logit histograms by source.

    `disc_acc` and `disc_acc_expert` are as in the `imitation` library, whose `disc_acc_gen` is called `disc_acc_agent`
    here, since the generator is called agent everywhere else. A frame counts as the expert's if D >= 1/2.
    `disc_logits_expert[-4]` etc. are the shares of frames whose logits fall in the bins that start at -4, -3.5, … 3.5.
    """
    metrics = {
        "disc_acc": balanced_accuracy(*train),
        "disc_acc_expert": (train.expert >= 0).float().mean(),
        "disc_acc_agent": (train.agent < 0).float().mean(),
        "disc_score_expert": train.expert.sigmoid().mean(),
        "disc_score_agent": train.agent.sigmoid().mean(),
        **_histogram("disc_logits_expert", train.expert),
        **_histogram("disc_logits_agent", train.agent),
    }
    if constraint is not None:
        accuracy = balanced_accuracy(*constraint)
        metrics |= {
            "disc_acc_constraint": accuracy,
            "disc_constraint_fired": (accuracy >= 0.5).float(),
            "disc_score_constraint_expert": constraint.expert.sigmoid().mean(),
            "disc_score_constraint_agent": constraint.agent.sigmoid().mean(),
            **_histogram("disc_logits_constraint_expert", constraint.expert),
            **_histogram("disc_logits_constraint_agent", constraint.agent),
        }
    return metrics


@torch.no_grad()
def mean_score(discriminator: Discriminator, frames: Observation, chunk: int = 256) -> float:
    """Returns the mean D on frames, e.g. of held-out demonstrations (TRAIL, Fig. 10).

    Args:
        discriminator: Scores the centre of each frame.
        frames: Tensors, uint8 [N, H, W, 3] a camera.
        chunk: Frames scored at a time.
    """
    count = len(frames[discriminator.cameras[0]])
    logits = [
        discriminator({camera: frames[camera][i : i + chunk] for camera in discriminator.cameras})
        for i in range(0, count, chunk)
    ]
    return torch.cat(logits).sigmoid().mean().item()


def _histogram(name: str, logits: Float[Tensor, " batch"]) -> dict[str, Tensor]:
    """The share of frames in each bin; the first and last bin also count what lies beyond them."""
    inside = logits.float().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    shares = torch.histc(inside, LOGIT_BINS, -LOGIT_LIMIT, LOGIT_LIMIT) / len(logits)
    width = 2 * LOGIT_LIMIT / LOGIT_BINS
    return {f"{name}[{index * width - LOGIT_LIMIT:g}]": share for index, share in enumerate(shares)}
