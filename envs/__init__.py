"""Environments: tasks, cameras, the headless renderer, and adapters to and from Gymnasium.

Importing this package registers the tasks in Gymnasium but imports no simulator; `trailkit.envs.simulator` does.
"""

from trailkit.envs import registration

registration.register()
