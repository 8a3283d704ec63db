"""How agents run: the command, the composition root, loops, checkpoints, evaluation and video."""
