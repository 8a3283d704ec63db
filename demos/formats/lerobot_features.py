"""How a LeRobotDataset v3.0 describes its columns and its task."""

import json
from typing import Any

import pyarrow as pa

from trailkit.demos.formats.lerobot_pictures import Pictures
from trailkit.envs.make import signature
from trailkit.envs.settings import ActionSpace, EnvSettings

_ARM, _FINGERS = range(1, 7), range(1, 4)
_ACTIONS = {
    ActionSpace.CARTESIAN: ["x", "y", "z", "gripper"],
    ActionSpace.JOINT: [*(f"arm_{i}.vel" for i in _ARM), *(f"finger_{i}.vel" for i in _FINGERS)],
}
_PROPRIO = [
    *(f"tool_{axis}" for axis in "xyz"),
    *(f"arm_{i}.{what}" for what in ("pos", "vel") for i in _ARM),
    *(f"finger_{i}.{what}" for what in ("pos", "vel") for i in _FINGERS),
]


def features_of(settings: EnvSettings, pictures: Pictures) -> dict[str, Any]:
    """The dataset's description of each column and of each camera."""
    observation = settings.observation
    actions, proprio = _names(settings)
    state = {"observation.state": _vector("float32", proprio)} if observation.proprioception else {}
    seen = {
        f"observation.images.{camera}": pictures.feature(observation.height, observation.width)
        for camera in observation.cameras
    }
    return {
        **state,
        **seen,
        "action": _vector("float32", actions),
        "next.reward": _scalar("float32"),
        "next.done": _scalar("bool"),
        "next.success": _scalar("bool"),
        "timestamp": _scalar("float32"),
        **{name: _scalar("int64") for name in ("frame_index", "episode_index", "index", "task_index")},
    }


def _names(settings: EnvSettings) -> tuple[list[str], list[str]]:
    """The names of an action's entries, and of proprioception's."""
    if settings.external is None:
        return _ACTIONS[settings.action_space], _PROPRIO
    size = signature(settings)
    return [f"action_{i}" for i in range(size.action_size)], [f"proprio_{i}" for i in range(size.proprio_size)]


def tasks_table(task: str) -> pa.Table:
    """The table of tasks, whose index, marked as pandas does, is the task in words."""
    index = "__index_level_0__"
    kinds = {"task_index": ("int64", "int64"), index: ("unicode", "object")}
    columns = [
        {
            "name": None if name == index else name,
            "field_name": name,
            "pandas_type": kind,
            "numpy_type": numpy_kind,
            "metadata": None,
        }
        for name, (kind, numpy_kind) in kinds.items()
    ]
    described = {"index_columns": [index], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    table = pa.table({"task_index": pa.array([0], pa.int64()), index: [task]})
    return table.replace_schema_metadata({"pandas": json.dumps(described)})


def _vector(dtype: str, names: list[str]) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [len(names)], "names": names}


def _scalar(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [1], "names": None}
