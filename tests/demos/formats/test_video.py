import numpy as np
import pytest

from trailkit.demos.formats.video import VideoWriter, read_pictures
from trailkit.envs.errors import UserError


@pytest.fixture
def video(tmp_path):
    """Thirty grey pictures, each four levels lighter than the one before, at 20 Hz."""
    writer = VideoWriter(tmp_path / "video.mp4", 32, 48, fps=20)
    writer.add(np.stack([np.full((32, 48, 3), 40 + 4 * number, np.uint8) for number in range(30)]))
    writer.close()
    return tmp_path / "video.mp4"


@pytest.mark.parametrize("first", [0, 1, 2, 17, 29])
def test_pictures_are_read_from_a_time_on(video, first):
    pictures = read_pictures(video, first / 20, 1, fps=20)
    assert pictures.shape == (1, 32, 48, 3)
    np.testing.assert_allclose(pictures.mean(), 40 + 4 * first, atol=1)


def test_all_can_be_read_in_order(video):
    means = read_pictures(video, 0.0, 30, fps=20).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, 40 + 4 * np.arange(30), atol=1)


def test_a_video_that_ends_too_early_is_named(video):
    with pytest.raises(UserError, match=r"video.mp4 ends too early: it has 5 pictures from 1.25 s on, not 6"):
        read_pictures(video, 1.25, 6, fps=20)


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"notes.mp4 is damaged or no video"):
        read_pictures(tmp_path / "notes.mp4", 0.0, 1, fps=20)
