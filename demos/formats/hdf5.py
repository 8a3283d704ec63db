"""HDF5 files that a full disk does no harm to."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


class _Forgiving(io.FileIO):
    """A file that remembers what the disk refused first and goes on as if it were written.

    HDF5 crashes when it cannot close a file whose disk is full.
    """

    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Writes all of some bytes, unless the disk refuses or has refused before."""
        left = memoryview(data).cast("B")
        size = left.nbytes
        try:
            while left and self.refusal is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.refusal = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Sets the file's size, unless the disk refuses."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.refusal = self.refusal or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raises what the disk refused, if anything."""
        if self.refusal is not None:
            raise self.refusal


@contextmanager
def hdf5_written(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Gives an HDF5 file to fill, at `path`, and what to call now and then: it raises what the disk refused.

    Raises:
        OSError: If the disk refused something; the file makes no sense then.
    """
    with _Forgiving(path, "w+b") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file, disk.check
        except Exception as error:  # HDF5 may notice before `check` is called, and does not know why
            if disk.refusal is not None and error is not disk.refusal:
                raise disk.refusal from error
            raise
        disk.check()
