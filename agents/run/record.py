"""`trailkit record`: records demonstrations, by a script or by a person."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.progress import make_console
from trailkit.configs.choices import Device
from trailkit.configs.schema import RecordConfig, TeleopConfig
from trailkit.demos.own_expert import OwnExpert
from trailkit.demos.random import RandomDevice
from trailkit.demos.record import Attempt, record
from trailkit.demos.record import Device as Player
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Feel, Picture, Teleoperator
from trailkit.demos.teleop.clock import Clock
from trailkit.demos.teleop.session import teleoperate
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.imports import imported
from trailkit.envs.make import make_environment
from trailkit.envs.rendering import Quality
from trailkit.envs.settings import CameraName

_VIEW = CameraName.FRONT.value, CameraName.WRIST.value
_BY_ITSELF = (Device.scripted, Device.random)
_SWITCH_INTERVAL = 0.0005  # s that a web server thread may block the control loop; Python's default is 0.005


def record_demos(config: RecordConfig) -> None:
    """Records until the store holds the requested number of episodes; continues an interrupted recording.

    Raises:
        UserError: If the folder holds something else, the disk is full, or the device cannot be used.
    """
    if config.episodes < 1:
        raise UserError(f"episodes is {config.episodes}: record at least one")
    settings = env_settings(config.env)
    with make_environment(settings) as env:  # first: if nothing can be rendered, no folder is created
        for camera in config.teleop.view_cameras or ():
            if camera not in env.cameras:
                raise unknown("camera", camera, env.cameras)
        store = DemoStore.create(config.out, settings, _source(config, env))
        try:
            if len(store) >= config.episodes:
                print(f"{config.out} already holds {len(store)} episodes")
            elif config.device in _BY_ITSELF:
                _record(config, env, store)
            else:
                _teleoperate(config, env, store)
        finally:
            store.abandon()


def _source(config: RecordConfig, env: Environment) -> dict[str, object]:
    """What records the demonstrations."""
    common: dict[str, object] = {"device": config.device.value, "seed": config.seed}
    if config.expert is not None:
        return {**common, "noise": config.noise, "expert": config.expert}
    if config.device is Device.random:
        return common
    if config.device is Device.scripted:
        return {**common, "noise": config.noise, "variety": config.variety}
    teleop = config.teleop
    sensitivity = {"pos_sensitivity": teleop.pos_sensitivity, "rot_sensitivity": teleop.rot_sensitivity}
    return {**common, "fps": _fps(teleop, env), **sensitivity}


def _fps(teleop: TeleopConfig, env: Environment) -> float:
    """Control steps per second: by default at the rate of the environment's own clock."""
    return 1 / env.control_timestep if teleop.fps is None else teleop.fps


def _record(config: RecordConfig, env: Environment, store: DemoStore) -> None:
    """Lets a script or a random policy play, with a progress bar."""
    device = _player(config, env)
    keep_failures = config.keep_failures or config.device is Device.random
    missing = config.episodes - len(store)
    failures = _count_failures(record(env, device, store, missing, config.seed, keep_failures), missing)
    fate = "episodes did not solve the task" if keep_failures else "failures were discarded"
    print(f"{config.out} holds {len(store)} episodes; {failures} {fate}")


def _player(config: RecordConfig, env: Environment) -> Player:
    if config.expert is not None:
        return OwnExpert(env, imported("expert", config.expert), config.noise)
    if config.device is Device.scripted:
        return ScriptedExpert(env, config.noise, variety=config.variety)
    return RandomDevice(env)


def _count_failures(attempts: Iterator[Attempt], missing: int) -> int:
    columns = TextColumn("record"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    failures = 0
    with Progress(*columns, console=make_console()) as progress:
        bar = progress.add_task("record", total=missing)
        for attempt in attempts:
            progress.advance(bar, attempt.kept)
            failures += not attempt.success
    return failures


def _teleoperate(config: RecordConfig, env: Environment, store: DemoStore) -> None:
    """Lets a person play, and reports the outcome of each episode."""
    teleop = config.teleop
    usual = _VIEW if env.settings.external is None else env.settings.observation.cameras or env.cameras[:1]
    cameras = teleop.view_cameras or usual
    env.hand_action(np.zeros(env.hand_size))  # where a person cannot move anything, no page is served
    device = _make_device(config.device, teleop, store, turns=env.hand_size == 7)

    def view() -> Mapping[str, Picture]:
        size = teleop.view_size
        return {camera: env.render(camera, size, size, Quality.FAST) for camera in cameras}

    feel, clock = Feel(teleop.pos_sensitivity, teleop.rot_sensitivity, teleop.dead_zone), Clock(1 / _fps(teleop, env))
    interrupted = threading.Event()
    with interruptible(interrupted), _prompt():
        try:
            for attempt in teleoperate(
                env, device, store, config.episodes, config.seed, view, feel, clock, interrupted
            ):
                fate = "kept" if attempt.kept else "dropped"
                print(f"{fate}: {attempt.length} steps, {'solved' if attempt.success else 'not solved'}", flush=True)
        finally:
            device.close()
            late = 1e3 * clock.lateness(99)
            print(f"{config.out} holds {len(store)} episodes; control ran {late:.1f} ms late at most, 99 times of 100")


@contextmanager
def _prompt() -> Iterator[None]:
    """Keeps threads from blocking the control loop for long."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


# Each device imports what only it needs.
# ruff: noqa: PLC0415


def _make_device(device: Device, config: TeleopConfig, store: DemoStore, turns: bool) -> Teleoperator:
    match device:
        case Device.keyboard:
            from trailkit.demos.teleop.keyboard import KeyboardDevice

            return KeyboardDevice(turns)
        case Device.gamepad:
            from trailkit.demos.teleop.gamepad import GamepadDevice

            return GamepadDevice(turns)
        case Device.spacemouse:
            from trailkit.demos.teleop.spacemouse import SpaceMouseDevice

            return SpaceMouseDevice(turns)
        case _:
            from trailkit.demos.teleop.browser import BrowserDevice

            browser = BrowserDevice(store, config.host, config.port, turns)
            tunnel = f"ssh -L {browser.port}:{browser.host}:{browser.port} HERE"
            print(f"open {browser.url}\nfrom another machine: {tunnel}, then the same address", flush=True)
            return browser
