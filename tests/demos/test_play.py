import dataclasses
import subprocess

import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, make_episode

from trailkit.demos.play import play
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError

TWO_CAMERAS = dataclasses.replace(
    SETTINGS, observation=dataclasses.replace(SETTINGS.observation, cameras=("wrist", "front"))
)


@pytest.fixture
def store(tmp_path):
    """Episodes whose wrist camera sees the episode's number as grey, and whose front camera sees red."""
    store = DemoStore.create(tmp_path / "demos", TWO_CAMERAS, SOURCE)
    for number in range(3):
        episode = make_episode(number, length=4 + number, settings=TWO_CAMERAS)
        episode.observation["wrist"][:] = 100 * number
        episode.observation["front"][:] = (255, 0, 0)
        store.append(episode)
    return store


def ffmpeg(*arguments):
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *arguments], check=False, capture_output=True)


def decode(path, height, width):
    """What ffmpeg says of a video that has this size, and its frames."""
    lines = ffmpeg("-i", path).stderr.decode().splitlines()
    about = next(line for line in lines if "Video:" in line)
    assert f" {width}x{height}" in about
    pixels = ffmpeg("-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    return about, np.frombuffer(pixels, np.uint8).reshape(-1, height, width, 3)


def test_a_video_shows_the_episodes_one_after_another(store, tmp_path):
    about, frames = decode(play(store, tmp_path / "new" / "film.mp4"), 256, 16 * 40)
    for fact in ("h264", "yuv420p", "20 fps"):
        assert fact in about
    assert len(frames) == 5 + 6 + 7
    greys = [int(frame[128, 160, 0]) for frame in frames]
    np.testing.assert_allclose(greys, [0] * 5 + [100] * 6 + [200] * 7, atol=8)


def test_the_cameras_stand_side_by_side_in_the_order_of_the_settings(store, tmp_path):
    _, frames = decode(play(store, tmp_path / "film.mp4", [0]), 256, 16 * 40)
    assert len(frames) == 5
    np.testing.assert_allclose(frames[0][128, 160], (0, 0, 0), atol=8)
    np.testing.assert_allclose(frames[0][128, 480], (255, 0, 0), atol=8)


def test_odd_sizes_can_be_played(tmp_path):
    settings = dataclasses.replace(
        SETTINGS, observation=dataclasses.replace(SETTINGS.observation, height=257, width=33)
    )
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    store.append(make_episode(length=2, settings=settings))
    _, frames = decode(play(store, tmp_path / "film.mp4"), 258, 34)
    assert len(frames) == 3


def test_a_contact_sheet_has_a_row_for_each_episode(store, tmp_path):
    sheet = imageio.v3.imread(play(store, tmp_path / "sheet.png", [0, 2]))
    assert sheet.shape == (2 * 16, 8 * 40, 3)
    assert (sheet[0, 0, 0], sheet[16, 0, 0]) == (0, 200)
    np.testing.assert_array_equal(sheet[:, 20:40], np.broadcast_to((255, 0, 0), (32, 20, 3)))


@pytest.mark.parametrize("name", ["videos", "videos.v2/"])
def test_a_folder_gets_a_video_of_each_episode(store, tmp_path, name):
    play(store, f"{tmp_path}/{name}", [0, 2])
    videos = sorted((tmp_path / name).iterdir())
    assert [video.name for video in videos] == ["episode_000000.mp4", "episode_000002.mp4"]
    _, frames = decode(videos[1], 256, 16 * 40)
    assert len(frames) == 7
    np.testing.assert_allclose(frames[:, 128, 160, 0], 200, atol=8)


def test_other_kinds_of_files_are_refused(store, tmp_path):
    with pytest.raises(UserError, match=r"name a video \(\.mp4\) or a contact sheet \(\.png\), or a folder"):
        play(store, tmp_path / "film.gif")


def test_an_episode_that_does_not_exist_is_refused(store, tmp_path):
    with pytest.raises(UserError, match=r"there is no episode 3 in .*demos: choose from 0 to 2"):
        play(store, tmp_path / "film.mp4", [0, 3])
    assert not (tmp_path / "film.mp4").exists()


def test_no_episode_at_all_is_refused(store, tmp_path):
    with pytest.raises(UserError, match=r"no episode of .*demos was chosen"):
        play(store, tmp_path / "film.mp4", [])


def test_demonstrations_without_cameras_cannot_be_played(tmp_path):
    blind = dataclasses.replace(SETTINGS, observation=dataclasses.replace(SETTINGS.observation, cameras=()))
    store = DemoStore.create(tmp_path / "demos", blind, SOURCE)
    store.append(make_episode(settings=blind))
    with pytest.raises(UserError, match="recorded without a camera: there is nothing to see"):
        play(store, tmp_path / "film.mp4")


def test_a_video_that_cannot_be_written_leaves_nothing_behind(store, tmp_path):
    (tmp_path / "film.mp4").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*film\.mp4: Is a directory"):
        play(store, tmp_path / "film.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demos", "film.mp4"]
