"""HDF5 files that a full disk does no harm to."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py


@contextmanager
def hdf5_written(path: Path) -> Iterator[h5py.File]:
    """Gives an HDF5 file to fill, and writes it to `path` when it is complete.

    It is made in memory, since HDF5 crashes when a disk is full, and a plain write says so.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        yield file
    path.write_bytes(image.getbuffer())
