"""How a LeRobotDataset stores images: as videos beside the table of steps, or as PNG inside it."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trailkit.demos.formats.png import png
from trailkit.demos.formats.video import PIXELS, VideoWriter

VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_Picture = NDArray[np.uint8]


class Pictures(Protocol):
    """Stores the images of a dataset, in files parallel to those of the table of steps."""

    path: str | None  # of videos, as in the dataset's description

    def feature(self, height: int, width: int) -> dict[str, Any]:
        """The dataset's description of a camera."""

    def begin(self, chunk: int, file: int) -> None:
        """Closes the previous file and starts another."""

    def add(self, key: str, pictures: _Picture) -> pa.Array | None:
        """Adds an episode's images of a camera, uint8 [T, H, W, 3]; returns their column if the table stores them."""

    def close(self) -> None:
        """Closes the last file."""


class Videos:
    """H.264 in MP4, one file per camera for the episodes of one file of the table. Lossy; see `Pictures`."""

    path: str | None = VIDEO_PATH

    def __init__(self, root: Path, fps: int) -> None:
        self._root, self._fps = root, fps
        self._place = {"chunk_index": 0, "file_index": 0}
        self._writers: dict[str, VideoWriter] = {}

    def feature(self, height: int, width: int) -> dict[str, Any]:
        """See `Pictures`."""
        details = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": PIXELS,
            "video.is_depth_map": False,
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
        }
        return {**_feature("video", height, width), "info": details}

    def begin(self, chunk: int, file: int) -> None:
        """See `Pictures`."""
        self.close()
        self._place = {"chunk_index": chunk, "file_index": file}

    def add(self, key: str, pictures: _Picture) -> None:
        """See `Pictures`."""
        if key not in self._writers:
            path = self._root / VIDEO_PATH.format(video_key=key, **self._place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[key] = VideoWriter(path, pictures.shape[1], pictures.shape[2], self._fps)
        self._writers[key].add(pictures)

    def close(self) -> None:
        """See `Pictures`."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


class Images:
    """PNG inside the table of steps. Lossless; see `Pictures`."""

    path: str | None = None

    def __init__(self, root: Path, fps: int) -> None:
        """Has the same arguments as `Videos`, but uses none."""

    def feature(self, height: int, width: int) -> dict[str, Any]:
        """See `Pictures`."""
        return _feature("image", height, width)

    def begin(self, chunk: int, file: int) -> None:
        """See `Pictures`."""

    def add(self, key: str, pictures: _Picture) -> pa.Array:
        """See `Pictures`."""
        cells = [{"bytes": png(picture), "path": None} for picture in pictures]
        return pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()}))

    def close(self) -> None:
        """See `Pictures`."""


def _feature(kind: str, height: int, width: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": [height, width, 3], "names": ["height", "width", "channels"]}
