"""What holds for every test."""

import torch

# Tests run small networks beside renderers and replay servers: more threads only fight over the cores.
torch.set_num_threads(1)
