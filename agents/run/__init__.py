"""How agents run: the command, the composition root, loops, checkpoints, evaluation and video."""

import os

# Threads that wait for each other give their core away: where others use it too, a training that spins makes a seventh
# of the steps. OpenMP reads this as torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
