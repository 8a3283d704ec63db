"""The optimiser: a state of another device's does not make it what it was there."""

import torch
from torch import nn

from trailkit.discriminators.adam import Adam


def test_a_state_that_was_saved_on_a_gpu_is_gone_on_with_on_the_cpu() -> None:
    layer, other = nn.Linear(2, 1), nn.Linear(2, 1)
    adam = Adam(layer.parameters(), 0.1)
    layer(torch.ones(1, 2)).sum().backward()
    adam.step()
    state = adam.state_dict()
    for group in state["param_groups"]:
        group["capturable"] = True  # as on a GPU

    resumed = Adam(other.parameters(), 0.1)
    resumed.load_state_dict(state)
    assert not any(group["capturable"] for group in resumed.param_groups)
    other(torch.ones(1, 2)).sum().backward()
    resumed.step()
    assert [entry["step"].item() for entry in resumed.state.values()] == [2, 2]
