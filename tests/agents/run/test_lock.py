import errno
import fcntl
import signal
import subprocess
import sys
import threading
import time

import pytest

from trailkit.agents.run.lock import locked
from trailkit.envs.errors import UserError


def test_a_second_training_is_kept_out_until_the_first_ends(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(UserError, match=r"/run is in use by another training"), locked(tmp_path / "run"):
            pass
        with locked(tmp_path / "another"):
            pass
    with locked(tmp_path / "run"):
        pass


def test_a_process_that_is_about_to_end_is_waited_for(tmp_path):
    held, release = threading.Event(), threading.Event()

    def hold():
        with locked(tmp_path):
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    threading.Timer(0.3, release.set).start()
    began = time.monotonic()
    with locked(tmp_path, wait_s=30):
        assert 0.2 < time.monotonic() - began < 10
    holder.join()


_HOLD = """
import sys, time
from pathlib import Path
from trailkit.agents.run.lock import locked

with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(1000)
"""


def test_a_killed_process_holds_nothing(tmp_path):
    with subprocess.Popen([sys.executable, "-c", _HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match="in use"), locked(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch, caplog):
    def flock(_file, _operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path):
        assert "cannot be locked (No locks available)" in caplog.text


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/run/.lock"), locked(tmp_path / "file" / "run"):
        pass
