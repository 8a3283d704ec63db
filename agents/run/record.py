"""`trailkit record` and `trailkit demos`: making demonstrations, and looking at them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trailkit.agents.run import build
from trailkit.configs.schema import Device, RecordConfig
from trailkit.demos.info import summary
from trailkit.demos.play import play
from trailkit.demos.random import RandomDevice
from trailkit.demos.record import Attempt, record
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError, unknown


def record_demos(config: RecordConfig) -> None:
    """Records until the store holds as many episodes as asked for; goes on with a recording that was cut off.

    Raises:
        UserError: If the folder holds something else, or the disk is full.
    """
    if config.episodes < 1:
        raise UserError(f"episodes is {config.episodes}: record at least one")
    settings = build.env_settings(config.env)
    source = {"device": config.device.value, "noise": config.noise, "seed": config.seed}
    keep_failures = config.keep_failures or config.device is Device.random
    with Environment(settings) as env:  # first: where nothing can be drawn, no folder is made
        store = DemoStore.create(config.out, settings, source)
        missing = config.episodes - len(store)
        if missing <= 0:
            print(f"{config.out} already holds {len(store)} episodes")
            return
        device = ScriptedExpert(env, config.noise) if config.device is Device.scripted else RandomDevice(env)
        failures = _record(record(env, device, store, missing, config.seed, keep_failures), missing)
    fate = "kept" if keep_failures else "discarded"
    print(f"{config.out} holds {len(store)} episodes; {failures} failures were {fate}")


def _record(attempts: Iterator[Attempt], missing: int) -> int:
    """Records, showing how far it is; returns how many attempts failed."""
    columns = TextColumn("record"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    failures = 0
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("record", total=missing)
        for attempt in attempts:
            progress.advance(bar, attempt.kept)
            failures += not attempt.success
    return failures


def demos(words: Sequence[str]) -> None:
    """`trailkit demos info|play DIR [out=VIDEO.mp4]`."""
    if len(words) < 2:
        raise UserError("say what to do with which demonstrations: trailkit demos info|play DIR")
    verb, folder, *options = words
    if verb not in ("info", "play"):
        raise unknown("demos verb", verb, ("info", "play"))
    out = Path(folder.rstrip("/") + ".mp4")
    for option in options:
        if verb != "play" or not option.startswith("out="):
            raise UserError(f"{option!r} is no option of trailkit demos {verb}" + (": it has out=" * (verb == "play")))
        out = Path(option.removeprefix("out="))
    store = DemoStore.open(folder)
    if verb == "info":
        Console().print(summary(store))
    else:
        play(store, out)
        print(out)
