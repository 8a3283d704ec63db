"""A Ray cluster of two hosts, each a network namespace of this machine, with a cable that can be pulled."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chaos
import pytest

from trailkit.agents.run.cli import main
from trailkit.replay.episode_file import read_summary

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"),
]

_HEAD, _OTHER = "trailkit-1", "trailkit-2"
_ADDRESS = {_HEAD: "10.231.7.1", _OTHER: "10.231.7.2"}
_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20", "env.trial_steps=5"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two namespaces and a cable between them."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "not a secret, but a token all the same")
    for host in _ADDRESS:  # left by a test that was killed
        subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)
    try:
        for host in _ADDRESS:
            ip("netns", "add", host)
    except subprocess.CalledProcessError:
        pytest.skip("network namespaces cannot be made here")
    ip("link", "add", "trailkit1", "netns", _HEAD, "type", "veth", "peer", "name", "trailkit2", "netns", _OTHER)
    for host, address in _ADDRESS.items():
        ip("-n", host, "addr", "add", f"{address}/24", "dev", f"trailkit{host[-1]}")
        ip("-n", host, "link", "set", "lo", "up")
        ip("-n", host, "link", "set", f"trailkit{host[-1]}", "up")
    yield
    for host in _ADDRESS:
        inside = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=True)
        for pid in inside.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        ip("netns", "del", host)


def start_ray(host: str, cpus: int) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    role = ["--head", "--port=6379", "--include-dashboard=false"] if host == _HEAD else []
    role = role or [f"--address={_ADDRESS[_HEAD]}:6379"]
    own = [f"--node-ip-address={_ADDRESS[host]}", f"--num-cpus={cpus}", "--object-store-memory=200000000"]
    subprocess.run(["ip", "netns", "exec", host, ray, "start", *role, *own], check=True, capture_output=True)


def wait_until(condition: Callable[[], object], program: "subprocess.Popen[bytes]", seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert program.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.reverb
@pytest.mark.usefixtures("hosts")
def test_a_machine_that_is_cut_off_costs_its_actors_alone(tmp_path: Path) -> None:
    demos, folder = str(tmp_path / "demos"), tmp_path / "run"
    main(["record", "device=scripted", *_ENV, "episodes=3", "keep_failures=true", f"out={demos}"])
    start_ray(_HEAD, cpus=2)  # the learner and an actor
    start_ray(_OTHER, cpus=1)  # another actor
    words = [
        *_ENV,
        *("method=trail", "agent.batch_size=4", "actor.random_steps=40", "threads=1"),
        *("replay.samples_per_insert=2", "evaluation.every=1000000", "checkpoint_every=50", "launch=ray"),
        *("launch.actors=2", f"launch.address={_ADDRESS[_HEAD]}:6379", "launch.evaluators=0"),
    ]
    command = ["ip", "netns", "exec", _HEAD, sys.executable, "-m", "trailkit.agents.run.cli", "train", *words]
    program = subprocess.Popen([*command, f"demos={demos}", "steps=1000000", f"out={folder}"])

    def plays(actor: int) -> Callable[[], bool]:
        """Whether an actor has sent an episode since this was asked for."""
        before = episodes(folder, actor)
        return lambda: episodes(folder, actor) > before + 3

    try:
        wait_until(lambda: chaos.newest_checkpoint(folder) >= 50, program)
        logs = [(folder / "logs" / f"actor_{actor}.log").read_text() for actor in (0, 1)]
        near, far = sorted((0, 1), key=lambda actor: _ADDRESS[_OTHER] in logs[actor])
        assert _ADDRESS[_HEAD] in logs[near] and _ADDRESS[_OTHER] in logs[far]
        for actor in (near, far):
            wait_until(plays(actor), program)
        ip("-n", _OTHER, "link", "set", "trailkit2", "down")
        cut = time.monotonic()
        while time.monotonic() < cut + 45:  # Ray gives a machine up after about half a minute
            wait_until(plays(near), program, 30)  # meanwhile the others go on
            steps = chaos.learner_steps(folder)
            wait_until(lambda steps=steps: chaos.learner_steps(folder) > steps, program, 60)  # type: ignore[misc]
        ip("-n", _OTHER, "link", "set", "trailkit2", "up")
        time.sleep(5)
        start_ray(_OTHER, cpus=1)
        wait_until(plays(far), program)
        program.terminate()
        assert program.wait(40) == 0
    finally:
        program.kill()
    assert chaos.faults(folder, 10**6, [], checkpoint_every=50) == []
    log = (folder / "logs" / "learner.log").read_text()
    assert log.count("started as process") == 1
    assert (folder / "logs" / "replay.log").read_text().count("started as process") == 1


def episodes(folder: Path, actor: int) -> int:
    """How many episodes of an actor have arrived."""
    paths = (folder / "replay").glob("episode_*.hdf5")
    return sum(read_summary(path)[1]["actor"] == actor for path in paths)
