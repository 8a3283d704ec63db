"""What tells why an adversarial run fails: accuracies and mean D by source, and D on frames held out."""

import torch
from torch import Tensor

from trailkit.discriminators.base import Logits
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.losses import balanced_accuracy
from trailkit.replay.transition import Observation


def diagnose(train: Logits, constraint: Logits | None) -> dict[str, Tensor]:
    """Returns scalars: accuracies, whether the constraint fired, and mean D by source.

    `disc_acc…` are named as in the `imitation` library. A frame counts as the expert's from D = 1/2.
    """
    metrics = {
        "disc_acc": balanced_accuracy(*train),
        "disc_acc_expert": (train.expert >= 0).float().mean(),
        "disc_acc_agent": (train.agent < 0).float().mean(),
        "disc_score_expert": train.expert.sigmoid().mean(),
        "disc_score_agent": train.agent.sigmoid().mean(),
    }
    if constraint is not None:
        accuracy = balanced_accuracy(*constraint)
        metrics |= {
            "disc_acc_constraint": accuracy,
            "disc_constraint_fired": (accuracy >= 0.5).float(),
            "disc_score_constraint_expert": constraint.expert.sigmoid().mean(),
            "disc_score_constraint_agent": constraint.agent.sigmoid().mean(),
        }
    return metrics


@torch.no_grad()
def mean_score(discriminator: Discriminator, frames: Observation, chunk: int = 256) -> float:
    """Returns the mean D on frames, e.g. of demonstrations held out (TRAIL, Fig. 10).

    Args:
        discriminator: scores the centre of each frame.
        frames: tensors, uint8 [N, H, W, 3] a camera.
        chunk: frames scored at a time.
    """
    count = len(frames[discriminator.cameras[0]])
    logits = [
        discriminator({camera: frames[camera][i : i + chunk] for camera in discriminator.cameras})
        for i in range(0, count, chunk)
    ]
    return torch.cat(logits).sigmoid().mean().item()
