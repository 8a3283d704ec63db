"""Checkpoints that survive kills, a full disk and damage.

    checkpoints/000012000/manifest.json        the SHA-256 of the other files
                                                state.json           the step and the state without its tensors
                          state.safetensors    its tensors
    checkpoints/last -> 000012000

A checkpoint is written to a temporary folder, synced to disk and renamed: under its final name it is always complete.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch

from trailkit.agents.base import Learner
from trailkit.agents.policies import GreedyPolicy
from trailkit.agents.run.serialization import pack, unpack
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import sync, writing

State = dict[str, Any]

_FORMAT = 1
_FILES = ("state.json", "state.safetensors")
_NAME = re.compile(r"(\d{9})(\.replaced)?")

_log = logging.getLogger(__name__)


_SHAPES = re.compile(r"size mismatch for (\S+): .*?Size\((\[.*?\])\).*?Size\((\[.*?\])\)")


class DamagedCheckpoint(UserError):
    """A checkpoint that differs from what was written."""


def load_learner(learner: Learner[Any], state: Mapping[str, Any], run: Path) -> None:
    """Loads a checkpoint's learner state into a learner.

    Raises:
        UserError: If it belongs to a different learner, because the run's settings changed; names the weight that
            differs.
    """
    with _fitting(run):
        learner.load_state_dict(state)


def load_policy(policy: GreedyPolicy, state: Mapping[str, Any], run: Path) -> None:
    """Loads the averaged policy's weights from a checkpoint's learner state into a policy.

    Raises:
        UserError: If they belong to a different policy; see `load_learner`.
    """
    with _fitting(run):
        policy.load({"policy": state.get("rl", state)["average"]})


@contextmanager
def _fitting(run: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, RuntimeError) as error:
        found = _SHAPES.search(str(error))
        what = f"{found[1]} has shape {found[2]} there, not {found[3]}" if found else " ".join(str(error).split())
        raise UserError(
            f"the checkpoints of {run} do not fit its config.yaml: {what}; put back the settings of its training"
        ) from error


class Checkpoints:
    """A folder of checkpoints, written by one process, read by any.

    Saving a step discards the checkpoints of later steps: they belong to a history that the run has abandoned.
    """

    def __init__(self, folder: Path, keep: int = 3) -> None:
        """Opens a folder, which need not exist.

        Args:
            folder: A folder for checkpoints only.
            keep: How many to keep, at least one.

        Raises:
            UserError: If none would be kept.
        """
        if keep < 1:
            raise UserError(f"keep is {keep}: at least one checkpoint must be kept")
        self._folder = Path(folder)
        self._keep = keep

    def save(self, step: int, state: Mapping[str, Any], spared: Collection[int] = ()) -> Path:
        """Writes a checkpoint, makes it the last, then removes those beyond `keep`.

        Args:
            step: The learner step.
            state: Nested mappings, lists and tuples of tensors, arrays, numbers, strings, bools and None.
            spared: Earlier steps whose checkpoints are kept in addition to the newest ones.

        Returns:
            The checkpoint's folder.

        Raises:
            UserError: If it cannot be written, e.g. because the disk is full; earlier checkpoints are unharmed.
            TypeError: If the state contains something that a checkpoint cannot hold.
        """
        contents = _contents(step, state)
        path = self.path_of(step)
        aside = self._folder / f".{path.name}.{os.getpid()}.partial"
        with writing(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            try:
                _write(aside, contents)
                _move(aside, path)
                self._point_last_to(path)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            self._prune(path, {self.path_of(each) for each in spared})
        return path

    def steps(self) -> list[int]:
        """The steps that have checkpoints, in order."""
        return sorted({int(path.name[:9]) for path in self._paths()})

    def latest(self) -> tuple[int, State] | None:
        """The step and the state of the newest valid checkpoint; warns about damaged ones. None if there never was one.

        Raises:
            UserError: If all are damaged: starting over would discard them.
        """
        paths = self._paths()
        for path in reversed(paths):
            try:
                return self.load(path)
            except DamagedCheckpoint as damage:
                _log.warning("%s; trying the one before", damage)
        if paths != self._paths():
            return self.latest()  # a training has replaced them in the meantime
        if paths:
            raise UserError(
                f"{self._folder} holds no valid checkpoint: put one back if you can, or start anew with another out=…"
            )
        return None

    def seal(self) -> bytes:
        """A fingerprint of the last checkpoint, read cheaply; empty if there is none."""
        try:
            return (self._folder / "last" / "manifest.json").read_bytes()
        except OSError:  # there is none yet, or it is being replaced
            return b""

    def path_of(self, step: int) -> Path:
        """The folder of the checkpoint of a step, whether it exists or not."""
        return self._folder / f"{step:09d}"

    @staticmethod
    def load(path: Path) -> tuple[int, State]:
        """The step and the state of one checkpoint, such as `checkpoints/last`.

        Raises:
            DamagedCheckpoint: If it is missing or differs from what was written.
        """
        try:
            contents = {name: (path / name).read_bytes() for name in _FILES}
            manifest = json.loads((path / "manifest.json").read_bytes())
            if manifest["format"] != _FORMAT:
                raise DamagedCheckpoint(f"{path} has format {manifest['format']}: this version reads {_FORMAT}")
            for name, content in contents.items():
                if manifest["sha256"][name] != hashlib.sha256(content).hexdigest():
                    raise DamagedCheckpoint(f"{path} is damaged: {name} is not as it was written")
            document = json.loads(contents["state.json"])
            tensors = safetensors.torch.load(contents["state.safetensors"])
        except FileNotFoundError as error:
            raise DamagedCheckpoint(f"{path} is no checkpoint: {Path(error.filename).name} is missing") from error
        except (OSError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedCheckpoint(f"{path} is damaged: {error!r}") from error
        return document["step"], unpack(document["state"], tensors)

    def _paths(self) -> list[Path]:
        """The checkpoints, oldest first; one that is being replaced counts until the new one is in place."""
        if not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (path.name[:9], "." not in path.name))

    def _point_last_to(self, path: Path) -> None:
        link = self._folder / f".last.{os.getpid()}.partial"
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        link.replace(self._folder / "last")
        sync(self._folder)

    def _prune(self, newest: Path, spared: Set[Path]) -> None:
        paths = self._paths()
        before = [path for path in paths if path.name <= newest.name and "." not in path.name]
        kept = {*before[-self._keep :], *(spared & set(before))}
        for path in paths:
            if path not in kept:
                gone = path.rename(self._folder / f".{path.name}.removed.partial")  # its name never holds half of one
                shutil.rmtree(gone)

    def _sweep(self) -> None:
        """Removes temporary files that a killed process left."""
        for path in self._folder.glob(".*.partial"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _contents(step: int, state: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a checkpoint, the manifest last."""
    document, tensors = pack(state)
    contents = {
        "state.json": json.dumps({"step": step, "state": document}, allow_nan=False).encode(),
        "state.safetensors": safetensors.torch.save(tensors),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return {**contents, "manifest.json": json.dumps({"format": _FORMAT, "sha256": sums}, indent=2).encode()}


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in contents.items():
        with (folder / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync(folder)


def _move(aside: Path, path: Path) -> None:
    """Renames a folder; an existing one of that name is first moved away, for `_prune` to remove."""
    replaced = path.with_name(f"{path.name}.replaced")
    if path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        path.rename(replaced)
    aside.rename(path)
    sync(path.parent)
