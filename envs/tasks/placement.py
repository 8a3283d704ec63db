"""Placement: put a thing on or into another, and let go: put in box, stack, stack banana and insertion.

The paper names these tasks and shows them (TRAIL, section 5); sizes, and when they are solved, are chosen here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.settings import EnvSettings
from trailkit.envs.simulator import mjcf
from trailkit.envs.tasks.base import ManipulationTask
from trailkit.envs.tasks.props import BLUE, GREEN, RED, Banana, Block, Box, Peg, Prop, lay_out

_FLAT = 0.008  # m, of the centre's height: neither on a rim nor leaning
_WITHIN = 0.75  # of the workspace, for the place: the hand, which does not leave it, may hold the thing off centre
_STILL = np.array([0.02] * 3 + [0.2] * 3)  # m/s and rad/s


class Placement(ManipulationTask):
    """A thing to move, the place where it belongs, and distractors or not, anywhere in the workspace."""

    def __init__(
        self,
        settings: EnvSettings,
        thing: Prop,
        place: Block | Box,
        distractors: tuple[Prop, ...] = (),
        spacing: float = 0.11,
    ) -> None:
        """Puts them into the arena; `spacing` is the least distance of their centres at the start, in m."""
        super().__init__(settings)
        self._thing, self._place, self._spacing = thing, place, spacing
        place.spread = _WITHIN
        self._props = (thing, place, *distractors)
        for prop in self._props:
            self._arena.add_free_entity(prop)

    def place_props(self, physics: Any, random: np.random.RandomState) -> None:
        """Lays everything out anew."""
        lay_out(physics, self._props, random, self._spacing)

    def solved(self, physics: Any) -> bool:
        """Whether the thing lies still, flat and on nothing but its place, and the hand touches neither of both."""
        thing, place = _body(physics, self._thing), _body(physics, self._place)
        if _touched(physics, thing) != {place} or self.robot.root in _touched(physics, place):
            return False
        velocity = physics.bind(mjcf.get_frame_freejoint(self._thing.mjcf_model)).qvel
        return bool((np.abs(velocity) < _STILL).all() and abs(self._height(physics) - self._seat) < _FLAT)

    def target(self, physics: Any) -> NDArray[np.float64]:
        """The centre of the thing to move, [3] in metres."""
        return np.asarray(self._thing.get_pose(physics)[0])

    def goal(self, physics: Any) -> NDArray[np.float64]:
        """Where that centre belongs, [3] in metres, as long as the place stands upright."""
        goal: NDArray[np.float64] = np.asarray(self._place.get_pose(physics)[0]) + np.array([0.0, 0.0, self._seat])
        return goal

    @property
    def _seat(self) -> float:
        """How high over the place's origin the thing's centre belongs, in metres."""
        return self._place.floor + self._thing.elevation

    def _height(self, physics: Any) -> float:
        """How high it is, as seen from the place, in metres."""
        body = physics.bind(mjcf.get_attachment_frame(self._place.mjcf_model))
        return float((self.target(physics) - body.xpos) @ body.xmat[2::3])


def put_in_box(settings: EnvSettings) -> Placement:
    """The red block has to lie in a box of 10 x 10 cm that is 4 cm high."""
    box = Box("box", inside=0.05, wall=0.005, height=0.04)
    return Placement(settings, Block("red_block", RED), box, spacing=0.14)


def stack(settings: EnvSettings) -> Placement:
    """The red block has to lie on the blue one."""
    return Placement(settings, Block("red_block", RED), Block("blue_block", BLUE))


def stack_banana(settings: EnvSettings) -> Placement:
    """A banana has to lie on the blue block."""
    return Placement(settings, Banana("banana"), Block("blue_block", BLUE))


def insertion(settings: EnvSettings) -> Placement:
    """A peg of 4 cm has to stand in a square hole of 5.4 cm that is 3 cm deep; a green and a blue block lie about."""
    socket = Box("socket", inside=0.027, wall=0.012, height=0.042)
    distractors = (Block("distractor_0", GREEN), Block("distractor_1", BLUE))
    return Placement(settings, Peg("peg"), socket, distractors, spacing=0.1)


def _body(physics: Any, prop: Prop) -> int:
    """The id of a thing's body in the compiled model."""
    return int(physics.bind(mjcf.get_attachment_frame(prop.mjcf_model)).element_id)


def _touched(physics: Any, body: int) -> set[int]:
    """What touches a thing: the ids of the bodies that stand in the world by themselves, 0 for the table."""
    model, data = physics.model.ptr, physics.data.ptr
    pairs = model.body_rootid[model.geom_bodyid[data.contact.geom]]  # [contacts, 2]
    return set(pairs[(pairs == body).any(axis=1)].ravel()) - {body}
