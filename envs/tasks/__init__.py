"""The manipulation tasks, one small file each.

To add a task, write a module with a subclass of `ManipulationTask` and add a row to `TASKS`.
"""

from collections.abc import Callable

from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.base import ManipulationTask
from trailkit.envs.tasks.lift import lift, lift_distracted
from trailkit.envs.tasks.placement import insertion, put_in_box, stack, stack_banana
from trailkit.envs.tasks.reach import reach

TASKS: dict[str, Callable[[EnvSettings], ManipulationTask]] = {
    "reach": reach,
    "lift": lift,
    "lift_distracted": lift_distracted,
    "put_in_box": put_in_box,
    "stack": stack,
    "stack_banana": stack_banana,
    "insertion": insertion,
}
