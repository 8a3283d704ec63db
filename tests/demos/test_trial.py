import pytest
from demonstrations import make_episode

from trailkit.demos.trial import deadly
from trailkit.replay.episode_file import encode_episode


@pytest.fixture
def paths(tmp_path):
    """An old episode, two that are damaged, and another whole one."""
    whole = encode_episode(make_episode())[512:]
    contents = {"a": whole, "b": whole[:5000], "c": b"", "d": whole}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [tmp_path / name for name in contents]


def test_files_that_hdf5_gets_through_are_not_deadly_damaged_or_not(paths):
    assert deadly(paths) == set()
    assert deadly([]) == set()


def test_a_file_on_which_hdf5_hangs_is_found_and_the_others_are_tried_all_the_same(tmp_path, paths, monkeypatch):
    hanging = [tmp_path / "x", tmp_path / "y"]
    startup = tmp_path / "site" / "sitecustomize.py"  # stands for HDF5: it hangs on x, and crashes on y
    startup.parent.mkdir()
    startup.write_text(
        "import os, signal, time, pathlib\n"
        "read = pathlib.Path.read_bytes\n"
        "def read_bytes(path):\n"
        "    if path.name == 'x': time.sleep(100)\n"
        "    if path.name == 'y': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return read(path)\n"
        "pathlib.Path.read_bytes = read_bytes\n"
    )
    for path in hanging:
        path.write_bytes(paths[0].read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(startup.parent))
    assert deadly([paths[0], *hanging, *paths[1:]], patience=1) == set(hanging)
