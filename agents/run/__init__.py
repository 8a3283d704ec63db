"""How agents are run: the command, the composition root, loops, checkpoints, evaluation and video."""

import os

# Threads that wait for each other give up their core after microseconds instead of milliseconds. This costs nothing
# on idle cores, and on busy ones it saves most of a training's speed. GNU's OpenMP reads the variable when torch is
# loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
