"""Registers the tasks' ids with Gymnasium.

`import trailkit.envs` registers them; so does `gymnasium.make("trailkit.envs:trailkit/Lift-v0")`, which imports it
first. Since version 1.0 Gymnasium does not search for plugins by itself.
"""

from gymnasium.envs import registration

IDS = {
    "reach": "trailkit/Reach-v0",
    "lift": "trailkit/Lift-v0",
    "lift_distracted": "trailkit/LiftDistracted-v0",
    "put_in_box": "trailkit/PutInBox-v0",
    "stack": "trailkit/Stack-v0",
    "stack_banana": "trailkit/StackBanana-v0",
    "insertion": "trailkit/Insertion-v0",
}


def register() -> None:
    """Registers every task; a second call does nothing.

    The time limit is the environment's own (`episode_steps`), so that Gymnasium's does not override a changed one.
    """
    for task, name in IDS.items():
        if name not in registration.registry:
            registration.register(name, entry_point="trailkit.envs.gymnasium_adapter:make", kwargs={"task": task})
