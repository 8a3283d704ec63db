"""How agents run: the command, the composition root, loops, checkpoints, evaluation and video."""

import os

# Threads that wait for each other give their core away after microseconds instead of milliseconds, which costs nothing
# where the cores are free, and most of a training's speed where they are not. GNU's OpenMP reads it as torch is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
