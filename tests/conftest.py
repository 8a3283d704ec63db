"""What holds for every test."""

import torch
from jaxtyping import install_import_hook

# Tests run small networks beside renderers and replay servers: more threads only fight over the cores.
torch.set_num_threads(1)

# Shapes in signatures are checked, in tests only: (B,) - (B, 1) -> (B, B) is the classic silent error of losses.
install_import_hook(
    [
        "trailkit.agents.adversarial",
        "trailkit.agents.bc",
        "trailkit.agents.d4pg",
        "trailkit.agents.losses",
        "trailkit.agents.networks",
        "trailkit.discriminators",
    ],
    # An int is a good float, as PEP 484 has it.
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)
