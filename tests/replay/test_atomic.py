import pytest

from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside


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
