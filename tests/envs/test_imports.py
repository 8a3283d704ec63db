import sys
from pathlib import Path

import pytest

from trailkit.envs.errors import UserError
from trailkit.envs.imports import imported


def test_a_path_names_what_a_module_has() -> None:
    assert imported("key", "pathlib:Path") is Path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stacks.Small", "key=stacks.Small: expected MODULE:NAME"),
        (":Small", "expected MODULE:NAME"),
        ("stacks:", "expected MODULE:NAME"),
        ("nowhere_to_be:Small", "key=nowhere_to_be:Small: No module named 'nowhere_to_be' on the Python path"),
        ("nowhere.to_be:Small", "No module named 'nowhere' on the Python path"),
        ("own_parts:Stakc", "key=own_parts:Stakc: unknown name in own_parts 'Stakc': did you mean 'Stack'"),
        ("own_parts:NUMBER", "NUMBER is of the type int, which cannot be called"),
    ],
)
def test_a_mistake_is_one_line(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        imported("key", path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("import nowhere_to_be", "ModuleNotFoundError: No module named 'nowhere_to_be'"), ("a = ", "SyntaxError: ")],
)
def test_what_is_wrong_inside_of_a_module_is_told_as_such(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_part.py").write_text(text)
    with pytest.raises(UserError, match=f"broken_part cannot be imported: {message}"):
        imported("key", "broken_part:Part")


def test_a_module_that_was_just_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="No module named 'late_part'"):
        imported("key", "late_part:part")
    (tmp_path / "late_part.py").write_text("def part(): return 7")
    try:
        assert imported("key", "late_part:part")() == 7
    finally:
        sys.modules.pop("late_part", None)
