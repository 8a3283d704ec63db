import subprocess
from types import SimpleNamespace

import dm_env
import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from trailkit.agents.run.evaluation.episodes import episode_seed
from trailkit.agents.run.evaluation.explain import Explanation
from trailkit.agents.run.evaluation.video import View, _write_gif, record_videos
from trailkit.demos.video import write_video
from trailkit.envs.errors import UserError


class Lamp:
    """Four steps, solved in the last two; its cameras see plain colours, dimmer by the seed's parity."""

    control_timestep = 0.05  # s
    settings = SimpleNamespace(episode_steps=4, observation=SimpleNamespace(cameras=("front",)))
    colours = {"front": (200, 0, 0), "wrist": (0, 0, 200)}  # noqa: RUF012 (a constant)

    def seed(self, seed):
        self._dim = 50 * (seed % 2)

    def reset(self):
        self._steps = 0
        return dm_env.restart(self._observation())

    def step(self, action):
        self._steps += 1
        return (dm_env.truncation if self._steps == 4 else dm_env.transition)(0.0, self._observation())

    def _observation(self):
        return {"front": np.zeros((16, 16, 3), np.uint8)}

    @property
    def solved(self):
        return self._steps > 2

    def render(self, camera, height, width, quality):
        colour = [max(0, channel - self._dim) for channel in self.colours[camera or "front"]]
        return np.full((height, width, 3), colour, np.uint8)


class Idle:
    def reset(self):
        pass

    def act(self, observation):
        return np.zeros(1, np.float32)


def ffmpeg(*arguments):
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *arguments], check=False, capture_output=True)


def describe(path):
    """What ffmpeg says of a video's picture stream."""
    lines = ffmpeg("-i", path).stderr.decode().splitlines()
    return next(line for line in lines if "Video:" in line)


def decode(path, height, width):
    """The frames of a video that has this size."""
    assert f" {width}x{height}" in describe(path)
    pixels = ffmpeg("-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    return np.frombuffer(pixels, np.uint8).reshape(-1, height, width, 3)


def test_a_video_holds_its_frames_at_its_rate(tmp_path):
    frames = [np.full((48, 64, 3), 25 * index, np.uint8) for index in range(10)]
    path = tmp_path / "made" / "video.mp4"
    write_video(path, iter(frames), fps=20)
    np.testing.assert_allclose(decode(path, 48, 64).mean((1, 2, 3)), [25 * index for index in range(10)], atol=4)
    for fact in ("h264", "yuv420p", "20 fps"):
        assert fact in describe(path)
    assert list(path.parent.iterdir()) == [path]


def test_odd_sizes_are_made_even(tmp_path):
    write_video(tmp_path / "video.mp4", [np.zeros((33, 47, 3), np.uint8)] * 2)
    assert len(decode(tmp_path / "video.mp4", 34, 48)) == 2


def test_a_failure_among_the_frames_leaves_the_old_video(tmp_path):
    def frames():
        yield np.zeros((32, 32, 3), np.uint8)
        raise RuntimeError("no more")

    path = tmp_path / "video.mp4"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="no more"):
        write_video(path, frames())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([], "needs at least one frame"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 30, 3), np.uint8)], "expected uint8"),
        ([np.zeros((32, 32, 3))], "float64"),
    ],
)
def test_frames_that_make_no_video_are_refused(tmp_path, frames, complaint):
    with pytest.raises(ValueError, match=complaint):
        write_video(tmp_path / "video.mp4", frames)
    assert not list(tmp_path.iterdir())


def test_what_the_encoder_cannot_do_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*video\.mp4: .+") as caught:
        write_video(tmp_path / "video.mp4", [np.zeros((32, 32, 3), np.uint8)], fps=0)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_each_episode_of_the_evaluation_is_filmed_with_cameras_side_by_side(tmp_path):
    view = View(("front", "wrist"), height=40, width=64)
    paths = record_videos(Lamp(), Idle(), tmp_path, episodes=3, seed=0, view=view)
    assert paths == [tmp_path / f"eval_episode_{index}.mp4" for index in range(3)]
    for index, path in enumerate(paths):
        video = decode(path, 48, 128)
        assert len(video) == 4
        level = 200 - 50 * (episode_seed(0, index) % 2)
        np.testing.assert_allclose(video[0, 20, 20], [level, 0, 0], atol=16)
        np.testing.assert_allclose(video[0, 20, 100], [0, 0, level], atol=16)


def test_the_strip_shows_time_and_success(tmp_path):
    (path,) = record_videos(Lamp(), Idle(), tmp_path, episodes=1, seed=0, view=View(height=64, width=128))
    begin, *_, end = decode(path, 72, 128)[:, 68].astype(int)
    grey, green = end[32], end[112]
    assert np.ptp(grey) < 16
    assert green[1] > green[0] + 60
    assert begin[112].max() < 70


def test_a_name_that_ends_in_gif_makes_an_animation_of_all_episodes(tmp_path):
    out = tmp_path / "made" / "both.gif"
    assert record_videos(Lamp(), Idle(), out, episodes=2, seed=0, view=View(height=40, width=64)) == [out]
    frames = imageio.v3.imread(out)
    assert frames.shape == (2 * 2, 48, 64, 3)
    meta = imageio.v3.immeta(out)
    assert (meta["duration"], meta["loop"]) == (100, 0)
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("timestep", [0.004, 0.0125, 0.033, 0.25])
def test_an_animation_takes_as_long_as_its_episode(tmp_path, timestep):
    pictures = [np.full((16, 16, 3), number, np.uint8) for number in range(200)]
    _write_gif(tmp_path / "film.gif", [pictures], timestep)
    with Image.open(tmp_path / "film.gif") as film:
        delays = []
        for number in range(film.n_frames):
            film.seek(number)
            delays.append(film.info["duration"])
    assert min(delays) >= 90  # milliseconds
    assert sum(delays) == pytest.approx(1000 * 200 * timestep, abs=max(delays))


def test_a_name_that_ends_in_png_makes_a_contact_sheet_with_a_row_for_each_episode(tmp_path):
    out = tmp_path / "sheet.png"
    record_videos(Lamp(), Idle(), out, episodes=3, seed=0, view=View(height=40, width=64))
    assert imageio.v3.imread(out).shape == (3 * 48, 8 * 64, 3)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"name a folder for videos, an animation \(.gif\) or a contact sheet"):
        record_videos(Lamp(), Idle(), tmp_path / "video.avi", episodes=1, seed=0)


def test_what_is_found_about_the_whole_episode_stands_beside_each_picture(tmp_path):
    asked = []

    def explain(moments):
        asked.append(len(moments))
        actions = np.stack([moment.action for moment in moments])
        return Explanation(actions, None, None, np.zeros(0), np.zeros((len(moments), 0)), None)

    (path,) = record_videos(Lamp(), Idle(), tmp_path, 1, 0, View(height=120, width=160), explain)
    assert asked == [4]
    video = decode(path, 240 + 8, 160 + 320)  # a panel needs more than the picture has
    assert len(video) == 4
    assert video[0, 20, 20, 0] > 100 and video[0, 20, 400].max() < 60


def test_an_encoder_that_is_missing_or_knows_no_h264_is_named(tmp_path, monkeypatch):
    frame = np.zeros((16, 16, 3), np.uint8)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"needs ffmpeg, and IMAGEIO_FFMPEG_EXE=.*none is no program: unset it"):
        write_video(tmp_path / "a.mp4", [frame])
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho \"Unknown encoder 'libx264'\" >&2; exit 1\n")
    other.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(other))
    with pytest.raises(UserError, match=r"cannot write .*a\.mp4: Unknown encoder 'libx264'"):
        write_video(tmp_path / "a.mp4", [frame])
    assert not list(tmp_path.glob("*.mp4*"))
