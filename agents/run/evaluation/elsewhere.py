"""Where a policy is tried: where it was trained, or where something is otherwise."""

from typing import NamedTuple


class Elsewhere(NamedTuple):
    """What is otherwise where a policy is tried than where it was trained; None is what is as it was."""

    task: str | None = None  # seen by the same cameras
    appearance: tuple[str, ...] | None = None  # see `trailkit.envs.settings.Appearance`
    distract: tuple[str, ...] | None = None  # see `trailkit.envs.settings.Distraction`

    def __str__(self) -> str:
        """As a part of a folder's name, such as _lift_light; empty where nothing is otherwise."""
        looks = () if self.appearance is None else self.appearance or ("usual",)
        distractions = () if self.distract is None else self.distract or ("undistracted",)
        return "".join(f"_{part}" for part in ((self.task,) if self.task else ()) + looks + distractions)


HERE = Elsewhere()
