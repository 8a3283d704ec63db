"""The memory layout of a time step: one NumPy record per row, the same for every replay.

A record keeps a row contiguous, so that a batch is gathered by copying whole rows, and the fields of the copy are
the transition's arrays without a second copy of the images.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode
from trailkit.replay.frames import is_picture, stack_frames
from trailkit.replay.transition import Transition

Rows = NDArray[np.void]  # records of a dtype made by `row_dtype`


def row_dtype(episode: Episode) -> np.dtype[np.void]:
    """Returns the record dtype of a row (see `nstep`) for episodes shaped like this one."""
    observation = [(name, values.dtype, values.shape[1:]) for name, values in episode.observation.items()]
    return np.dtype(
        [
            ("age", np.int32),
            ("left", np.int32),  # T - t: the steps from here to the end of the episode
            ("reward", np.float32),
            ("discount", np.float32),
            ("action", np.float32, episode.action.shape[1:]),
            # Floats first: then aligned fields need no padding, and torch accepts the arrays as they are. Then by name:
            # files return the entries of an observation in another order than an environment does.
            (
                "observation",
                np.dtype(sorted(observation, key=lambda field: (-field[1].itemsize, field[0])), align=True),
            ),
        ],
        align=True,
    )


def pack(episode: Episode, dtype: np.dtype[np.void]) -> Rows:
    """Packs an episode of T steps into T + 1 rows.

    Raises:
      UserError: If the episode's observations or actions differ from those that `dtype` was made for.
    """
    found = row_dtype(episode)
    if found != dtype:
        raise UserError(
            f"the episode holds {_describe(found)}, the replay holds {_describe(dtype)}: one replay takes episodes of "
            "one environment with one set of cameras"
        )
    length = episode.length
    rows = np.zeros(length + 1, dtype)
    rows["age"] = np.arange(length + 1)
    rows["left"] = np.arange(length, -1, -1)
    rows["discount"] = 1.0
    for name, values in (("action", episode.action), ("reward", episode.reward), ("discount", episode.discount)):
        rows[name][:length] = values
    for name, values in episode.observation.items():
        rows["observation"][name] = values
    return rows


def unpack(
    rows: Rows,
    frame_stack: int,
    keys: NDArray[np.int64],
    weight: NDArray[np.float64],
    probability: NDArray[np.float64],
) -> Transition:
    """Reads windows of rows as a batch of transitions.

    Args:
      rows: Records [B, frame_stack - 1 + n + 1], in the order of `nstep.window_rows`. The returned images are views
        of them unless frames are stacked.
      frame_stack: How many consecutive frames make an image, [H, W, 3 frame_stack].
      keys: The items' keys, int64 [B].
      weight: The weights of the items, to which their sampling probability is proportional, float64 [B].
      probability: The probabilities with which the items were sampled, float64 [B].
    """
    observation = _stacked(rows["observation"], frame_stack)
    rows = rows[:, frame_stack - 1 :]
    n = rows.shape[1] - 1
    first = rows[:, 0]
    return Transition(
        observation={name: values[:, 0] for name, values in observation.items()},
        action=np.ascontiguousarray(first["action"]),
        reward=np.ascontiguousarray(rows["reward"][:, :n]),
        discount=np.ascontiguousarray(rows["discount"][:, :n]),
        next_observation={name: values[:, 1:] for name, values in observation.items()},
        steps=np.minimum(n, first["left"]).astype(np.int64),
        age=first["age"].astype(np.int64),
        key=keys,
        weight=weight,
        probability=probability,
    )


def _stacked(observation: Rows, frame_stack: int) -> dict[str, NDArray[Any]]:
    """The entries of an observation by name, [B, n + 1, ...] each."""
    entries = {name: observation[name] for name in observation.dtype.names or ()}
    return {
        name: stack_frames(values, frame_stack) if is_picture(values) else values[:, frame_stack - 1 :]
        for name, values in entries.items()
    }


def _describe(dtype: np.dtype[np.void]) -> str:
    """Names the observations and their sizes, for an error."""
    fields: dict[str, Any] = dict(dtype["observation"].fields or {})
    sizes = [f"{name} {list(field[0].shape)}" for name, field in sorted(fields.items())]
    return f"{', '.join(sizes)} and actions {list(dtype['action'].shape)}"
