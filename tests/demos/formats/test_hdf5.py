import h5py
import numpy as np
import pytest
from full_disk import file_size_limit

from trailkit.demos.formats.hdf5 import hdf5_written


def fill(file, check, groups=40):
    for number in range(groups):
        group = file.create_group(f"data/demo_{number}")
        group["numbers"] = np.random.default_rng(number).normal(size=(50, 40))
        check()


def test_a_file_is_on_the_disk_while_it_is_filled(tmp_path):
    path = tmp_path / "file.hdf5"
    with hdf5_written(path) as (file, check):
        fill(file, check)
        assert path.stat().st_size > 30 * 50 * 40 * 8  # not in memory
    with h5py.File(path) as file:
        assert len(file["data"]) == 40
        np.testing.assert_array_equal(file["data/demo_7/numbers"], np.random.default_rng(7).normal(size=(50, 40)))


@pytest.mark.parametrize("size", [0, 1000, 30_000, 300_000])
def test_a_full_disk_is_said_and_the_process_lives_on(tmp_path, size):
    with file_size_limit(size), pytest.raises(OSError, match="File too large"):
        with hdf5_written(tmp_path / "file.hdf5") as (file, check):
            fill(file, check)
    with hdf5_written(tmp_path / "other.hdf5") as (file, check):
        fill(file, check)


def test_a_disk_that_fills_at_the_end_is_said_too(tmp_path):
    with file_size_limit(30_000), pytest.raises(OSError, match="File too large"):
        with hdf5_written(tmp_path / "file.hdf5") as (file, _):
            fill(file, lambda: None)


def test_what_hdf5_says_of_a_full_disk_is_said_as_the_disk_does(tmp_path):
    with file_size_limit(30_000), pytest.raises(OSError, match="File too large"):
        with hdf5_written(tmp_path / "file.hdf5") as (file, _):
            fill(file, lambda: None)
            file["data/demo_0/numbers"][()]  # whose bytes are not there
            raise RuntimeError("address of object past end of allocation")


def test_what_is_no_fault_of_the_disk_is_not_said_to_be(tmp_path):
    with pytest.raises(RuntimeError, match="mine"):
        with hdf5_written(tmp_path / "file.hdf5"):
            raise RuntimeError("mine")
