"""What only the Reverb replay promises: frames stored once, nothing imported early, nothing left behind."""

import importlib.util
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.base import ReplayTimeout, Table
from trailkit.replay.reverb import ReverbReplay

needs_reverb = pytest.mark.skipif(importlib.util.find_spec("reverb") is None, reason="dm-reverb is not installed")


def run(program: str) -> subprocess.CompletedProcess[str]:
    tests = Path(__file__).parents[1]
    program = f"import sys; sys.path.append({str(tests)!r})\n{program}"
    return subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True)


def test_importing_the_module_does_not_import_tensorflow() -> None:
    program = "import trailkit.replay.reverb; print(sorted({'reverb', 'tensorflow'} & set(sys.modules)))"
    assert run(program).stdout == "[]\n"


def test_where_reverb_is_missing_the_error_names_the_other_backend() -> None:
    program = """
sys.modules["reverb"] = None  # as where it is not installed
from trailkit.replay.reverb import ReverbReplay
try:
    ReverbReplay(10, 1, 1)
except ValueError as error:
    print(type(error).__name__, error)
"""
    assert (
        "UserError replay=reverb needs dm-reverb, which exists for Linux with Python 3.11 only" in run(program).stdout
    )
    assert "use replay=memory" in run(program).stdout


@pytest.mark.reverb
@needs_reverb
def test_frames_are_stored_once_and_nothing_is_printed() -> None:
    program = """
from replay_episodes import random_episode
from trailkit.replay.base import Table
from trailkit.replay.reverb import ReverbReplay
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
replay = ReverbReplay(capacity=100_000, n_step=5, early_steps=10)
episode = random_episode(60, size=64)
replay.add(episode)
before = resident()
for _ in range(40):
    replay.add(episode)
print((resident() - before) / (40 * 60 * 64 * 64 * 3))
next(replay.batches(Table.MAIN, 32))  # the interpreter ends with an open iterator and an open server
"""
    result = run(program)
    # Noise, which cannot be compressed, and six references to each frame.
    assert float(result.stdout) < 1.6
    assert result.stderr == ""


@pytest.mark.reverb
@needs_reverb
def test_a_batch_that_is_waited_for_loses_no_sample() -> None:
    with closing(ReverbReplay(100, 1, 1, samples_per_insert=1.0, free_inserts=0.5)) as replay:
        replay.add(random_episode(7))  # six samples: a batch and a half
        asked = []

        def wait_on() -> bool:
            if not asked:
                replay.add(random_episode(6, seed=1))
            asked.append(1)
            return len(asked) < 3

        batches = replay.sampler(timeout_s=0.2).batches(Table.MAIN, 4, wait_on)
        for _ in range(3):
            next(batches)
        assert len(asked) == 1
        assert replay.samples() == 12
        with pytest.raises(ReplayTimeout):
            next(batches)
        assert len(asked) == 3


@pytest.mark.reverb
@needs_reverb
def test_servers_have_names() -> None:
    with closing(ReverbReplay(10, 1, 1)) as one, closing(ReverbReplay(10, 1, 1)) as other:
        for replay in (one, other):
            replay.add(random_episode(4))
        assert one.sampler().server == one.sampler().server != other.sampler().server


@pytest.mark.reverb
@needs_reverb
def test_a_closed_replay_says_so() -> None:

    replay = ReverbReplay(10, 1, 1, timeout_s=1.0)
    replay.close()
    with pytest.raises(UserError, match="was closed"):
        replay.size(Table.MAIN)
