"""Writes videos in H.264, completely or not at all."""

import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

Frame = NDArray[np.uint8]


def write_video(path: Path, frames: Iterable[Frame], fps: float = 20) -> None:
    """Writes frames, uint8 [H, W, 3] each, as H.264 in yuv420p, which every player supports.

    Odd sizes grow by a pixel, since that format halves the colour resolution.

    Raises:
        UserError: If the video cannot be written, or there is no ffmpeg that encodes H.264.
        ValueError: If there is no frame, or one has another size or dtype.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame")
    encoder_path = _encoder()
    with written_aside(path) as aside:
        command = [encoder_path, *_options(_even(first), fps), str(aside)]
        # In its own session, so that a keyboard interrupt reaches only this process.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as encoder:
            try:
                for frame in chain([first], frames):
                    if frame.shape != first.shape or frame.dtype != np.uint8:
                        raise ValueError(f"a frame is {frame.dtype} {frame.shape}: expected uint8 {first.shape}")
                    encoder.stdin.write(_even(frame).tobytes())  # type: ignore[union-attr]
            except BrokenPipeError:
                pass  # the encoder failed; its message below says why
            except BaseException:
                encoder.kill()
                with suppress(BrokenPipeError):
                    encoder.stdin.close()  # type: ignore[union-attr]  # buffered data has no reader any more
                raise
            _, complaint = encoder.communicate()
        if encoder.returncode != 0:
            reason, *_ = complaint.decode(errors="replace").splitlines() or [f"{encoder_path} failed"]
            raise UserError(f"cannot write {path}: {reason}")


def _encoder() -> str:
    try:
        path: str = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UserError("a video needs ffmpeg: pip install 'imageio[ffmpeg]', which brings one") from error
    if shutil.which(path) is None:
        raise UserError(f"a video needs ffmpeg, and IMAGEIO_FFMPEG_EXE={path} is no program: unset it, or mend it")
    return path


def _options(frame: Frame, fps: float) -> list[str]:
    """The encoder's options. It uses one thread: encoding must not slow down what it records."""
    height, width = frame.shape[:2]
    source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {fps:g} -i -"
    target = "-an -c:v libx264 -preset fast -crf 20 -threads 1 -pix_fmt yuv420p -movflags +faststart -f mp4"
    return ["-y", "-v", "error", *source.split(), *target.split()]


def _even(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
