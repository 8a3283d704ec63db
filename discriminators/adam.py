"""The optimiser of everything that is trained."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class Adam(torch.optim.Adam):
    """Fused Adam, which can be captured in a CUDA graph if the weights are on a GPU."""

    def __init__(self, weights: Iterable[nn.Parameter], learning_rate: float, weight_decay: float = 0.0) -> None:
        weights = list(weights)
        super().__init__(
            weights, lr=learning_rate, weight_decay=weight_decay, fused=True, capturable=weights[0].is_cuda
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores a state, which may have been saved on another kind of device."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["capturable"] = group["params"][0].is_cuda
