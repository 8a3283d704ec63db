"""Where a policy is tested: in its training environment, or in one that differs from it."""

from typing import NamedTuple


class Elsewhere(NamedTuple):
    """How the test environment differs from the training one; None means unchanged."""

    task: str | None = None  # has the same cameras
    appearance: tuple[str, ...] | None = None  # see `trailkit.envs.settings.Appearance`
    distract: tuple[str, ...] | None = None  # see `trailkit.envs.settings.Distraction`

    def __str__(self) -> str:
        """A part of a folder's name, such as _lift_light; empty if nothing differs."""
        looks = () if self.appearance is None else self.appearance or ("usual",)
        distractions = () if self.distract is None else self.distract or ("undistracted",)
        return "".join(f"_{part}" for part in ((self.task,) if self.task else ()) + looks + distractions)


HERE = Elsewhere()
