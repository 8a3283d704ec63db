"""The provenance of a run: the version of the code, the machine and the libraries, stored in the run's folder."""

import json
import logging
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from trailkit.replay.atomic import written_aside

_NAME = "provenance.json"
_log = logging.getLogger(__name__)
_SIMULATORS = "mujoco", "dm-control"
_LIBRARIES = ("torch", "mujoco", "dm-control", "dm-reverb", "ray", "numpy")


def note_provenance(folder: Path) -> None:
    """Adds the provenance of a start or resumption to the earlier ones.

    Raises:
        UserError: If it cannot be written.
    """
    before = read_provenance(folder) if (folder / _NAME).exists() else []
    with written_aside(folder / _NAME) as aside:
        aside.write_text(json.dumps([*before, provenance()], indent=2) + "\n")


def read_provenance(folder: Path) -> list[dict[str, Any]]:
    """The provenance of a run's start and resumptions, in order; empty, with a warning, if damaged or missing."""
    path = folder / _NAME
    try:
        return list(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s cannot be read: %s", path, error)
        return []


def warn_of_another_simulator(folder: Path) -> None:
    """Warns in the log if a run was made with other versions of the simulator than are here."""
    for made in read_provenance(folder)[-1:] if (folder / _NAME).exists() else []:
        for name in _SIMULATORS:
            then, now = made.get("libraries", {}).get(name), _version(name)
            if then != now:
                _log.warning("%s was trained with %s %s, this is %s: contacts may differ", folder, name, then, now)


def provenance() -> dict[str, Any]:
    """The current commit, machine and libraries."""
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "trailkit": version("trailkit"),
        "commit": _commit(Path(__file__).parent),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _commit(folder: Path) -> str | None:
    """The commit of the code, with a plus if there are uncommitted changes; None if it is not a checkout."""
    try:
        _, commit, changes = (
            subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (
                ["ls-files", "--error-unmatch", Path(__file__).name],  # fails if installed within another checkout
                ["rev-parse", "HEAD"],
                ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + "+" if changes else commit


def _processor() -> str:
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
