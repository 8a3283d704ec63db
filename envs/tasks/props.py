"""The things that tasks put on the table."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.simulator import composer, mjcf
from trailkit.envs.workspace import WORKSPACE

RED, GREEN, BLUE = (0.85, 0.1, 0.1, 1.0), (0.1, 0.65, 0.2, 1.0), (0.1, 0.25, 0.85, 1.0)
BLOCK_HALF_SIZE = 0.025  # m
_YELLOW, _BROWN, _GREY = (0.95, 0.8, 0.1, 1.0), (0.3, 0.2, 0.1, 1.0), (0.45, 0.47, 0.5, 1.0)
_LIGHT, _HEAVY = 0.05, 0.4  # kg: what is carried, and what should stay in place
_FRICTION = (1.5, 0.01, 0.0001)
_MAX_DRAWS, _MAX_LAYOUTS = 1000, 100


class Prop(composer.Entity):  # type: ignore[misc]  # dm_control has no types
    """A freely moving thing."""

    elevation = 0.0  # m: the height of its origin when it lies on the table
    yaw = (-0.3, 0.3)  # rad: its range of rotation at the start
    spread = 1.0  # as a fraction of the workspace's length and width: the range of its centre at the start

    def _begin(self, name: str) -> None:
        """Makes a model without geoms, for `_build`."""
        self._root = mjcf.RootElement(model=name)

    @property
    def mjcf_model(self) -> mjcf.RootElement:
        """The thing's model."""
        return self._root


class Block(Prop):
    """A 5 cm cube. Another thing can be put on it."""

    elevation = BLOCK_HALF_SIZE
    yaw = (np.pi / 4 - 0.3, np.pi / 4 + 0.3)  # corners towards the fingers, as a person would turn the hand
    floor = BLOCK_HALF_SIZE  # m above its origin: the surface that carries another thing

    def _build(self, name: str, rgba: tuple[float, float, float, float]) -> None:
        self._begin(name)
        self._root.worldbody.add(
            "geom",
            name="cube",
            type="box",
            size=(BLOCK_HALF_SIZE,) * 3,
            mass=_LIGHT,
            rgba=rgba,
            friction=_FRICTION,
            condim=4,
        )


class Banana(Prop):
    """A bent yellow thing, 12 cm long and 3 cm thick, that lies across the hand and hardly rolls."""

    elevation = 0.015

    def _build(self, name: str) -> None:
        self._begin(name)
        bends = np.array([(-0.046, -0.007), (-0.018, 0.003), (0.018, 0.003), (0.046, -0.007)])  # m, about its centre
        for start, end in pairwise(bends):
            self._add_piece(start, end, self.elevation, _YELLOW)
        for end in bends[[0, -1]]:
            self._add_piece(end, end * (1.18, 1.7), 0.006, _BROWN)

    def _add_piece(self, start: NDArray[np.float64], end: NDArray[np.float64], radius: float, rgba: Any) -> None:
        self._root.worldbody.add(
            "geom",
            type="capsule",
            fromto=(*start, 0.0, *end, 0.0),
            size=(radius,),
            mass=_LIGHT / 5,
            rgba=rgba,
            friction=(*_FRICTION[:2], 0.005),  # m: a fruit is that much softer than a capsule
            condim=6,
        )


class Peg(Prop):
    """A red cylinder, 4 cm in diameter and 8 cm high."""

    elevation = 0.04

    def _build(self, name: str) -> None:
        self._begin(name)
        self._root.worldbody.add(
            "geom",
            name="cylinder",
            type="cylinder",
            size=(0.02, self.elevation),
            mass=_LIGHT,
            rgba=RED,
            friction=_FRICTION,
            condim=4,
        )


class Box(Prop):
    """A grey box without a lid; its origin is at the centre of its underside."""

    def _build(self, name: str, inside: float, wall: float, height: float) -> None:
        """Builds the model.

        Args:
            name: The name of the model.
            inside: Half of the inner length and width, in m.
            wall: The thickness of walls and floor, in m.
            height: The height, in m.
        """
        self._begin(name)
        self.floor = wall
        middle, length = inside + wall / 2, inside + wall
        self._add_board((0, 0, wall / 2), (length, length, wall / 2))
        for side in (-1, 1):
            self._add_board((side * middle, 0, height / 2), (wall / 2, length, height / 2))
            self._add_board((0, side * middle, height / 2), (inside, wall / 2, height / 2))

    def _add_board(self, position: Sequence[float], size: Sequence[float]) -> None:
        self._root.worldbody.add(
            "geom", type="box", pos=position, size=size, mass=_HEAVY / 5, rgba=_GREY, friction=(0.6, 0.005, 0.0001)
        )


def lay_out(physics: Any, props: Sequence[Prop], random: np.random.RandomState, spacing: float) -> None:
    """Places things uniformly over their `spread` of the workspace, with centres at least `spacing` m apart."""
    for _ in range(_MAX_LAYOUTS):
        if (poses := _draw_poses(props, random, spacing)) is not None:
            break
    else:
        raise composer.EpisodeInitializationError("no room for another thing was found")
    for prop, (x, y, yaw) in zip(props, poses, strict=True):
        turned = np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)
        prop.set_pose(physics, position=(x, y, prop.elevation), quaternion=turned)


def _draw_poses(
    props: Sequence[Prop], random: np.random.RandomState, spacing: float
) -> list[tuple[float, float, float]] | None:
    """Draws x, y and yaw of each thing; None if the first ones leave no room for another."""
    poses: list[tuple[float, float, float]] = []
    for prop in props:
        for _ in range(_MAX_DRAWS):
            x, y, _ = prop.spread * WORKSPACE.sample(random)
            if all(np.hypot(x - pose[0], y - pose[1]) >= spacing for pose in poses):
                poses.append((x, y, random.uniform(*prop.yaw)))
                break
        else:
            return None
    return poses
