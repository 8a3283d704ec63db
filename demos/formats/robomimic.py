"""robomimic's format: one HDF5 file, with a group for each demonstration.

Names follow robosuite's data: `front_image` for a camera, to be listed under the modality `rgb`, and
`robot0_proprio-state` for proprioception, under `low_dim`. What robomimic cannot hold is stored where it does not
look: the datasets `success`, `discount` and `final_state`, the attribute `trailkit`, and `trailkit_sha256` of the
actions and states: if someone changed those, the additional data no longer belongs to them and is ignored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trailkit.demos.formats.base import (
    Contents,
    completed,
    described,
    description,
    digest,
    environment_id,
    environment_words,
    reading,
    task_of,
    timestep_of,
    warn_of_changed,
)
from trailkit.demos.formats.hdf5 import hdf5_written
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Track, untracked
from trailkit.replay.atomic import written_aside
from trailkit.replay.episode import Episode

_KIND = "a robomimic HDF5 file"
_OWN, _DIGEST = "trailkit", "trailkit_sha256"
_PROPRIO = "robot0_proprio-state"
_GYM_TYPE = 2  # robomimic's number for Gymnasium's environments
_HELD_OUT = 10  # a tenth of the demonstrations, the last ones, is for validation


class Robomimic:
    """See `Format`."""

    def write(self, store: DemoStore, path: Path, track: Track = untracked) -> None:
        """See `Format`."""
        settings = store.settings
        environment = {
            "env_name": environment_id(settings),
            "env_version": store.manifest.versions.get("trailkit", ""),
            "type": _GYM_TYPE,
            "env_kwargs": environment_words(settings),
        }
        total = 0
        with written_aside(path) as aside, hdf5_written(aside) as (file, check):
            data = file.create_group("data")
            data.attrs["env_args"] = json.dumps(environment)
            data.attrs[_OWN] = description(store.manifest)
            for number, episode in enumerate(track(store.episodes(), len(store))):
                _write_demo(data.create_group(f"demo_{number}"), episode)
                check()
                total += episode.length
            data.attrs["total"] = total
            _write_masks(file, len(store))

    def read(self, path: Path) -> Contents:
        """See `Format`."""
        with reading(path, _KIND), h5py.File(path) as file:
            attributes = file["data"].attrs
            environment = json.loads(attributes.get("env_args", "{}"))
            frequency = environment.get("env_kwargs", {}).get("control_freq")
            return Contents(
                episodes=_demos(path),
                manifest=described(attributes[_OWN]) if _OWN in attributes else None,
                task=task_of(environment.get("env_name")),
                control_timestep=None if frequency is None else timestep_of(frequency, "control_freq"),
                total=len(file["data"]),
            )


def _write_demo(demo: h5py.Group, episode: Episode) -> None:
    demo.attrs["num_samples"] = episode.length
    demo.attrs[_OWN] = json.dumps(episode.metadata)
    demo["actions"] = episode.action
    demo["rewards"] = episode.reward
    demo["dones"] = (np.arange(1, episode.length + 1) == episode.length).astype(np.int64)  # 1 where the episode ends
    demo["success"] = episode.success
    demo["discount"] = episode.discount
    if episode.state is not None:
        demo["states"] = episode.state[:-1]
        demo["final_state"] = episode.state[-1]
    demo.attrs[_DIGEST] = _digest(demo)
    for name, values in episode.observation.items():
        key = _PROPRIO if name == "proprio" else f"{name}_image"
        # One chunk per image, since robomimic reads single steps.
        light = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "compression_opts": 1}
        for group, part in (("obs", values[:-1]), ("next_obs", values[1:])):
            demo.create_dataset(f"{group}/{key}", data=part, **(light if values.dtype == np.uint8 else {}))


def _write_masks(file: h5py.File, demos: int) -> None:
    """Names the demonstrations for training and for validation; a single one is both."""
    names = [f"demo_{number}".encode() for number in range(demos)]
    kept_back = max(1, demos // _HELD_OUT)
    file["mask/train"] = names[: demos - kept_back] or names
    file["mask/valid"] = names[demos - kept_back :]


def _demos(path: Path) -> Iterator[Episode]:
    changed = []
    with reading(path, _KIND), h5py.File(path) as file:
        for name in sorted(file["data"], key=_number):
            with reading(f"{path}, {name}", _KIND):
                episode = _read_demo(file["data"][name], name)
                if _is_changed(file["data"][name]):
                    changed.append(name)
            yield episode
    warn_of_changed(path, changed)


def _number(name: str) -> tuple[int, str]:
    digits = re.search(r"\d+$", name)
    return (int(digits[0]) if digits else -1), name


def _read_demo(demo: h5py.Group, name: str) -> Episode:
    steps, changed = len(demo["actions"]), _is_changed(demo)
    recorded = _OWN in demo.attrs and not changed
    observation = {}
    for key in demo["obs"]:
        observed = _observed(demo, key, steps)
        observation[_name(key, observed)] = observed
    return completed(
        observation=observation,
        action=_values(demo, "actions"),
        reward=_values(demo, "rewards"),
        success=None if changed else _values(demo, "success"),
        discount=None if changed else _values(demo, "discount"),
        metadata=json.loads(demo.attrs[_OWN]) if recorded else {"name": name},
        state=_states(demo) if recorded and "final_state" in demo else None,
    )


def _is_changed(demo: h5py.Group) -> bool:
    """Whether trailkit wrote a demonstration and it was changed afterwards."""
    return _OWN in demo.attrs and demo.attrs.get(_DIGEST) != _digest(demo)


def _digest(demo: h5py.Group) -> str:
    return digest({key: demo[key][()] for key in ("actions", "states") if key in demo})


def _observed(demo: h5py.Group, key: str, steps: int) -> NDArray[Any]:
    """The observations before each step and after the last one; if the latter is missing, the last one is repeated."""
    before, after = demo["obs"][key], demo.get("next_obs", demo["obs"])[key]
    for group, values in (("obs", before), ("next_obs", after)):
        if not isinstance(values, h5py.Dataset):
            raise ValueError(f"{group}/{key} holds others, expected an array")
        if values.shape != (steps, *before.shape[1:]):
            wanted = [steps, *before.shape[1:]]
            raise ValueError(f"{group}/{key} has the shape {list(values.shape)}, expected {wanted}: a row an action")
    return np.concatenate([before[()], after[-1:]])


def _states(demo: h5py.Group) -> NDArray[np.float64]:
    return np.concatenate([demo["states"][()], demo["final_state"][()][None]])


def _values(demo: h5py.Group, key: str) -> NDArray[Any] | None:
    return demo[key][()] if key in demo else None


def _name(key: str, values: NDArray[Any]) -> str:
    if key == _PROPRIO:
        return "proprio"
    return key.removesuffix("_image") if values.dtype == np.uint8 else key
