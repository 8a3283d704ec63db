from trailkit.demos.formats.hdf5 import hdf5_written


def test_an_hdf5_file_is_written_at_the_end(tmp_path):
    with hdf5_written(tmp_path / "file.hdf5") as file:
        file["numbers"] = [1, 2, 3]
        assert not (tmp_path / "file.hdf5").exists()
    assert (tmp_path / "file.hdf5").read_bytes().startswith(b"\x89HDF")
