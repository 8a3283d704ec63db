"""TensorBoard event files, without TensorFlow.

TensorBoard's own summary writers, and torch's, which use them, import TensorFlow if it is installed: several seconds
and hundreds of megabytes. The file format needs neither.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """A new event file in a folder; TensorBoard reads a folder's files one after another."""

    def __init__(self, folder: Path) -> None:
        """Creates the file.

        Raises:
            OSError: If it cannot be written.
        """
        self._records = RecordWriter((folder / f"events.out.tfevents.{time.time_ns()}").open("xb"))
        self._write(file_version="brain.Event:2")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to each curve."""
        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step=step, summary=Summary(value=points))

    def histograms(self, step: int, histograms: Mapping[str, Mapping[float, float]]) -> None:
        """Adds a row to each histogram: shares by the lower edges of equally wide bins, in order."""
        rows = [Summary.Value(tag=name, histo=_histogram(shares)) for name, shares in histograms.items()]
        if rows:
            self._write(step=step, summary=Summary(value=rows))

    def restart(self, step: int) -> None:
        """Discards the points of this step and later in earlier files."""
        self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def close(self) -> None:
        """Closes the file."""
        self._records.close()

    def _write(self, **content: object) -> None:
        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
        self._records.flush()


def _histogram(shares: Mapping[float, float]) -> HistogramProto:
    first, second, *_ = shares
    width = second - first
    moments = [sum((edge + width / 2) ** power * share for edge, share in shares.items()) for power in (1, 2)]
    return HistogramProto(
        min=first,
        max=max(shares) + width,
        num=1,
        sum=moments[0],
        sum_squares=moments[1],
        bucket_limit=[edge + width for edge in shares],
        bucket=shares.values(),
    )
