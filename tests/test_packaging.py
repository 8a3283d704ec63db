"""What an installation holds, and what the files that describe the package say about it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agents", "configs", "demos", "discriminators", "envs", "replay")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names of the files in a wheel built from a copy, since a build leaves its own folder behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in [*_sources(), "pyproject.toml", "README.md", "LICENSE"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    # The environment's own setuptools builds it, so that the test needs no network.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("trailkit-*-py3-none-any.whl")
    return frozenset(zipfile.ZipFile(path).namelist())


def _sources() -> list[str]:
    """The files that make the package, relative to the root."""
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    return [str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts]


def test_every_package_folder_is_listed(pyproject: dict[str, Any]) -> None:
    found = {path.parent.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")}
    expected = {"trailkit." + ".".join(path.parts) for path in found}
    assert set(pyproject["tool"]["setuptools"]["packages"]) == expected


def test_mypy_and_import_linter_read_every_folder(pyproject: dict[str, Any]) -> None:
    expected = [f"trailkit.{folder}" for folder in FOLDERS]
    assert pyproject["tool"]["mypy"]["packages"] == expected
    assert pyproject["tool"]["importlinter"]["root_packages"] == expected
    assert list(pyproject["tool"]["setuptools"]["package-dir"]) == expected


def test_the_wheel_holds_every_file_of_the_package(wheel: frozenset[str]) -> None:
    expected = {f"trailkit/{name}" for name in _sources()}
    assert {name for name in wheel if ".dist-info/" not in name} == expected


def test_the_wheel_holds_the_licence(wheel: frozenset[str]) -> None:
    assert f"trailkit-{version('trailkit')}.dist-info/licenses/LICENSE" in wheel


def test_every_entry_point_names_a_file_of_the_wheel(pyproject: dict[str, Any], wheel: frozenset[str]) -> None:
    for target in pyproject["project"]["scripts"].values():
        assert target.partition(":")[0].replace(".", "/") + ".py" in wheel


def test_the_installed_version_is_the_declared_one(pyproject: dict[str, Any]) -> None:
    assert version("trailkit") == pyproject["project"]["version"]


def test_the_changelog_begins_with_the_declared_version(pyproject: dict[str, Any]) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", changelog, flags=re.MULTILINE)
    assert versions[0] == pyproject["project"]["version"]


def test_the_lock_names_packages_only() -> None:
    pin = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w .<>=!'()]+)?")
    assert [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not pin.fullmatch(line)] == []


def test_the_lock_leaves_the_build_of_torch_open() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert re.search(r"^torch==2\.13\.\d+( ;|$)", lock, flags=re.MULTILINE)
    assert re.findall(r"^(?:nvidia|cuda|triton).*", lock, flags=re.MULTILINE) == []
