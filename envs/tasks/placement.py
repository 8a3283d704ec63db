"""Placement: put a thing on or into another, and let go: put in box, stack, stack banana and insertion.

The paper names and shows these tasks (TRAIL, section 5); sizes and success criteria are our choice.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.settings import EnvSettings
from trailkit.envs.simulator import mjcf
from trailkit.envs.tasks.base import ManipulationTask
from trailkit.envs.tasks.props import BLUE, GREEN, RED, Banana, Block, Box, Peg, Prop, lay_out

_FLAT = 0.008  # m, tolerance of the centre's height: excludes a thing on a rim or leaning
_WITHIN = 0.75  # as a fraction of the workspace, for the place: the hand stays inside and may hold a thing off-centre
_STILL = np.array([0.02] * 3 + [0.2] * 3)  # m/s and rad/s


class Placement(ManipulationTask):
    """A thing to move, its target place, and optional distractors, anywhere in the workspace."""

    def __init__(
        self,
        settings: EnvSettings,
        thing: Prop,
        place: Block | Box,
        distractors: tuple[Prop, ...] = (),
        spacing: float = 0.11,
    ) -> None:
        """Adds them to the arena; `spacing` is the minimum distance between their centres at the start, in m."""
        super().__init__(settings)
        self._thing, self._place, self._spacing = thing, place, spacing
        place.spread = _WITHIN
        self._props = (thing, place, *distractors)
        for prop in self._props:
            self._arena.add_free_entity(prop)

    def place_props(self, physics: Any, random: np.random.RandomState) -> None:
        """Places everything at random."""
        lay_out(physics, self._props, random, self._spacing)

    def solved(self, physics: Any) -> bool:
        """Whether the thing is still, flat and touches only its place, and the hand touches neither of them."""
        thing, place = _body(physics, self._thing), _body(physics, self._place)
        if _touched(physics, thing) != {place} or self.robot.root in _touched(physics, place):
            return False
        velocity = physics.bind(mjcf.get_frame_freejoint(self._thing.mjcf_model)).qvel
        return bool((np.abs(velocity) < _STILL).all() and abs(self._height(physics) - self._seat) < _FLAT)

    def target(self, physics: Any) -> NDArray[np.float64]:
        """The centre of the thing to move, [3] in metres."""
        return np.asarray(self._thing.get_pose(physics)[0])

    def goal(self, physics: Any) -> NDArray[np.float64]:
        """Where that centre belongs, [3] in metres, assuming the place stands upright."""
        goal: NDArray[np.float64] = np.asarray(self._place.get_pose(physics)[0]) + np.array([0.0, 0.0, self._seat])
        return goal

    @property
    def _seat(self) -> float:
        """How high above the place's origin the thing's centre belongs, in metres."""
        return self._place.floor + self._thing.elevation

    def _height(self, physics: Any) -> float:
        """The height of the thing's centre in the place's frame, in metres."""
        body = physics.bind(mjcf.get_attachment_frame(self._place.mjcf_model))
        return float((self.target(physics) - body.xpos) @ body.xmat[2::3])


def put_in_box(settings: EnvSettings) -> Placement:
    """The red block must lie in a 10 x 10 cm box that is 4 cm high."""
    box = Box("box", inside=0.05, wall=0.005, height=0.04)
    return Placement(settings, Block("red_block", RED), box, spacing=0.14)


def stack(settings: EnvSettings) -> Placement:
    """The red block must lie on the blue one."""
    return Placement(settings, Block("red_block", RED), Block("blue_block", BLUE))


def stack_banana(settings: EnvSettings) -> Placement:
    """A banana must lie on the blue block."""
    return Placement(settings, Banana("banana"), Block("blue_block", BLUE))


def insertion(settings: EnvSettings) -> Placement:
    """A 4 cm peg must stand in a square 5.4 cm hole that is 3 cm deep; a green and a blue block are distractors."""
    socket = Box("socket", inside=0.027, wall=0.012, height=0.042)
    distractors = (Block("distractor_0", GREEN), Block("distractor_1", BLUE))
    return Placement(settings, Peg("peg"), socket, distractors, spacing=0.1)


def _body(physics: Any, prop: Prop) -> int:
    """The id of a prop's body in the compiled model."""
    return int(physics.bind(mjcf.get_attachment_frame(prop.mjcf_model)).element_id)


def _touched(physics: Any, body: int) -> set[int]:
    """What touches a body: the ids of the top-level bodies in contact with it, 0 for the table."""
    model, data = physics.model.ptr, physics.data.ptr
    pairs = model.body_rootid[model.geom_bodyid[data.contact.geom]]  # [contacts, 2]
    return set(pairs[(pairs == body).any(axis=1)].ravel()) - {body}
