"""Environments: tasks, cameras and the headless renderer, adapters from and to Gymnasium.

Importing this package gives Gymnasium the tasks' ids and imports no simulator; `trailkit.envs.simulator` does.
"""

from trailkit.envs import registration

registration.register()
