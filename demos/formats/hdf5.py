"""HDF5 files that survive a full disk without a crash."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


class _Forgiving(io.FileIO):
    """A file that records the first write error and continues as if all data were written.

    HDF5 crashes when it cannot close a file on a full disk.
    """

    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Writes all bytes, unless a write fails now or failed before."""
        left = memoryview(data).cast("B")
        size = left.nbytes
        try:
            while left and self.refusal is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.refusal = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Sets the file's size, unless that fails."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.refusal = self.refusal or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raises the recorded write error, if any."""
        if self.refusal is not None:
            raise self.refusal


@contextmanager
def hdf5_written(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Gives an HDF5 file at `path` to fill, and a function to call regularly: it raises a write error that occurred.

    Raises:
        OSError: If a write failed; the file is then invalid.
    """
    with _Forgiving(path, "w+b") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file, disk.check
        except Exception as error:  # HDF5 may fail before `check` is called, without knowing the cause
            if disk.refusal is not None and error is not disk.refusal:
                raise disk.refusal from error
            raise
        disk.check()
