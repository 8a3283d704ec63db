import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from full_disk import file_size_limit

from trailkit.agents.run.checkpoint import Checkpoints, DamagedCheckpoint
from trailkit.envs.errors import UserError


def state_of(step, size=10):
    return {"weights": torch.full((size,), float(step)), "steps": step}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_newest_checkpoint_is_the_latest(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.latest() is None
    for step in (100, 200):
        assert checkpoints.save(step, state_of(step)) == checkpoints.path_of(step)
    step, state = Checkpoints(tmp_path / "checkpoints").latest()
    assert step == state["steps"] == 200
    assert torch.equal(state["weights"], torch.full((10,), 200.0))


def test_any_checkpoint_can_be_loaded_and_last_is_one(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (100, 200):
        checkpoints.save(step, state_of(step))
    assert checkpoints.load(checkpoints.path_of(100))[0] == 100
    assert checkpoints.load(tmp_path / "last")[0] == 200
    assert os.readlink(tmp_path / "last") == "000000200"


def test_only_the_newest_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(5):
        checkpoints.save(step, state_of(step))
    assert names(tmp_path) == ["000000003", "000000004", "last"]


def test_keeping_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="keep is 0: at least one"):
        Checkpoints(tmp_path, keep=0)


def test_a_checkpoint_is_plain_files_with_their_checksums(tmp_path):
    path = Checkpoints(tmp_path).save(100, state_of(100))
    assert names(path) == ["manifest.json", "state.json", "state.safetensors"]
    assert set(json.loads((path / "manifest.json").read_text())["sha256"]) == {"state.json", "state.safetensors"}
    assert json.loads((path / "state.json").read_text()) == {
        "step": 100,
        "state": {"weights": {"$tensor": "state/weights"}, "steps": 100},
    }


def test_saving_a_step_again_replaces_it(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(50, state_of(50))
    checkpoints.save(100, state_of(1))
    checkpoints.save(100, state_of(2))
    assert checkpoints.latest()[1]["steps"] == 2
    assert names(tmp_path) == ["000000050", "000000100", "last"]


def test_a_checkpoint_that_was_being_replaced_still_counts(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(100, state_of(100)).rename(tmp_path / "000000100.replaced")
    assert checkpoints.latest()[0] == 100
    checkpoints.save(100, state_of(3))
    assert checkpoints.latest()[1]["steps"] == 3
    assert names(tmp_path) == ["000000100", "last"]


def test_those_that_are_to_be_spared_are_kept_beside_the_newest(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (100, 200, 300, 400):
        checkpoints.save(step, state_of(step), spared={100, 900})
    assert checkpoints.steps() == [100, 300, 400]
    checkpoints.save(350, state_of(350), spared={400})  # of a course that is left
    assert checkpoints.steps() == [300, 350]


def test_going_on_from_an_older_checkpoint_discards_the_later_ones(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (100, 200):
        checkpoints.save(step, state_of(step))
    checkpoints.save(150, state_of(150))
    assert checkpoints.latest()[0] == 150
    assert names(tmp_path) == ["000000100", "000000150", "last"]


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "state.safetensors"])
@pytest.mark.parametrize("harm", [damage, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, caplog, name, harm):
    checkpoints = Checkpoints(tmp_path)
    for step in (100, 200):
        checkpoints.save(step, state_of(step))
    path = checkpoints.path_of(200)
    harm(path / name)
    with caplog.at_level(logging.WARNING):
        assert checkpoints.latest()[0] == 100
    assert str(path) in caplog.text
    with pytest.raises(DamagedCheckpoint, match="000000200"):
        checkpoints.load(path)


def test_checkpoints_that_are_all_damaged_are_not_passed_over_as_if_there_were_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    damage(checkpoints.save(100, state_of(100)) / "state.safetensors")
    with pytest.raises(UserError, match="holds no valid checkpoint: put one back if you can, or start anew"):
        checkpoints.latest()
    assert names(tmp_path) == ["000000100", "last"]


def test_checkpoints_that_are_replaced_while_they_are_read_are_no_damage(tmp_path, monkeypatch):
    writer, reader = Checkpoints(tmp_path, keep=1), Checkpoints(tmp_path)
    writer.save(100, state_of(100))

    def load_late(path):
        if path == writer.path_of(100):
            writer.save(200, state_of(200))
        return Checkpoints.load(path)

    monkeypatch.setattr(reader, "load", load_late)
    assert reader.latest()[0] == 200


def test_the_last_checkpoint_is_known_by_its_seal(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.seal() == b""
    seals = []
    for step, state in ((100, state_of(100)), (200, state_of(200)), (200, state_of(300))):
        checkpoints.save(step, state)
        seals.append(checkpoints.seal())
        assert checkpoints.seal() == seals[-1]
    assert len(set(seals)) == 3


def test_a_missing_checkpoint_is_named():
    with pytest.raises(UserError, match=r"/nowhere/000000001 is no checkpoint: state.json is missing"):
        Checkpoints.load(Path("/nowhere/000000001"))


def test_a_full_disk_leaves_the_checkpoints_that_were(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(100, state_of(100))
    with file_size_limit(4096), pytest.raises(UserError, match=r"cannot write .*000000200: .*free some space"):
        checkpoints.save(200, state_of(200, size=100_000))
    assert names(tmp_path) == ["000000100", "last"]
    assert checkpoints.latest()[0] == 100
    checkpoints.save(200, state_of(200, size=100_000))
    assert checkpoints.latest()[0] == 200


def test_what_cannot_be_held_leaves_the_checkpoints_that_were(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(100, state_of(100))
    with pytest.raises(TypeError, match="state/policy is a function"):
        checkpoints.save(200, {"policy": lambda: None})
    assert names(tmp_path) == ["000000100", "last"]


def test_what_a_killed_process_left_aside_is_swept_up(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / ".000000100.1.partial").mkdir()
    (tmp_path / ".last.1.partial").symlink_to("000000100")
    assert checkpoints.latest() is None
    checkpoints.save(100, state_of(100))
    assert names(tmp_path) == ["000000100", "last"]


# Forks savers that are killed at random moments; one process is enough to pay for importing torch once.
_KILLINGS = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from trailkit.agents.run.checkpoint import Checkpoints

torch.set_num_threads(1)
checkpoints, log = Checkpoints(Path(sys.argv[1]), keep=2), Path(sys.argv[2])
moments = random.Random(0)
for kill in range(40):
    found = checkpoints.latest()
    first = found[0] + 1 if found else 1
    child = os.fork()
    if child == 0:
        for step in range(first, first + 1000):
            checkpoints.save(step, {"weights": torch.full((200_000,), float(step)), "steps": step})
            log.write_text(str(step))
        os._exit(0)
    time.sleep(moments.uniform(0.0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    announced = int(log.read_text() or 0) if log.exists() else 0
    found = checkpoints.latest()
    if found is None:
        assert announced == 0, "all checkpoints lost"
        continue
    step, state = found
    assert step >= announced, f"saved {announced} but found {step}"
    assert state["steps"] == step and bool((state["weights"] == step).all()), "a mixture of steps"
    last = checkpoints.path_of(step).parent / "last"
    assert not last.is_symlink() or checkpoints.load(last)[0] in (step, step - 1), "last is astray"
print(step)
"""


def test_kills_at_any_moment_leave_a_checkpoint_to_go_on_from(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", _KILLINGS, tmp_path / "checkpoints", tmp_path / "log"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 40
    assert "trying the one before" not in run.stderr  # what has a checkpoint's name is whole
