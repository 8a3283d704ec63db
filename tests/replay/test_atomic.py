import pytest

from trailkit.envs.errors import UserError
from trailkit.replay.atomic import folder_aside, sweep_aside, written_aside


def test_a_file_appears_whole_with_the_folders_it_needs(tmp_path):
    path = tmp_path / "deep" / "file"
    with written_aside(path) as aside:
        aside.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_aside(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), written_aside(path) as aside:
        aside.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*/file/below: .*; free some space"):
        with written_aside(tmp_path / "file" / "below") as aside:
            aside.write_text("")


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with folder_aside(tmp_path / "deep" / "out") as aside:
        (aside / "within").mkdir()
        (aside / "within" / "file").write_text("whole")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "within" / "file").read_text() == "whole"
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["out"]


def test_nothing_is_left_of_a_folder_that_was_not_completed(tmp_path):
    with pytest.raises(KeyError, match="mistake"), folder_aside(tmp_path / "out") as aside:
        (aside / "file").write_text("half")
        raise KeyError("mistake")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_filled_meanwhile_is_kept(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*out"), folder_aside(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").touch()
    assert [each.name for each in tmp_path.rglob("*")] == ["out", "theirs"]


def test_what_killed_processes_left_beside_a_file_is_swept_up(tmp_path):
    path = tmp_path / "file"
    path.write_text("whole")
    (tmp_path / ".file.1.partial").write_text("ha")
    (tmp_path / ".another.1.partial").write_text("someone is writing it")
    sweep_aside(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [".another.1.partial", "file"]
