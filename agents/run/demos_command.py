"""`trailkit demos VERB DIR [key=value ...]`: everything that is done with demonstrations except recording them."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from trailkit.demos.info import summary
from trailkit.demos.play import play
from trailkit.demos.store import DemoStore
from trailkit.demos.track import Item, Track
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.settings import EnvSettings

# Each verb imports what only it needs.
# ruff: noqa: PLC0415


def demos(words: Sequence[str]) -> None:
    """Applies the verb in the first word to the folder in the second."""
    if len(words) < 2:
        raise UserError(f"say what to do with which demonstrations: trailkit demos {'|'.join(_VERBS)} DIR")
    verb, *rest = words
    if verb not in _VERBS:
        raise unknown("demos verb", verb, _VERBS)
    _VERBS[verb](list(_joined(rest)))


def options(verb: str, words: Sequence[str], defaults: Mapping[str, str | None]) -> dict[str, str | None]:
    """Parses `key=value` words.

    Raises:
        UserError: If a word is not an option of the verb.
    """
    values = dict(defaults)
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or key not in defaults:
            known = ", ".join(f"{name}=" for name in defaults) or "none"
            raise UserError(f"{word!r} is no option of trailkit demos {verb}: it has {known}")
        values[key] = value
    return values


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Turns `--key value` and `--key=value` into `key=value`."""
    pairs = itertools.pairwise([*words, ""])
    for word, after in pairs:
        if word.startswith("--") and "=" not in word:
            yield f"{word[2:]}={after}"
            next(pairs, None)
        else:
            yield word.removeprefix("--")


def _info(words: list[str]) -> None:
    folder, *rest = words
    options("info", rest, {})
    Console().print(summary(DemoStore.open(folder)))


def _play(words: list[str]) -> None:
    folder, *rest = words
    given = options("play", rest, {"out": folder.rstrip("/") + ".mp4", "episodes": None})
    episodes = given["episodes"]
    numbers = None if episodes is None else [_number("episodes", each) for each in _names(episodes)]
    print(play(DemoStore.open(folder), _needed("play", given, "out"), numbers))


def _verify(words: list[str]) -> None:
    from trailkit.demos.manifest import Manifest
    from trailkit.demos.verify import verify

    folder, *rest = words
    options("verify", rest, {})
    with _bar("verify") as track:
        faults = verify(folder, track)
    for fault in faults:
        print(f"{folder}/{fault.file} {fault.reason}")
    if faults:
        print(f"trailkit demos repair {folder} moves those aside and writes the manifest anew", file=sys.stderr)
        sys.exit(1)
    print(f"{folder} is whole: {_episodes(Manifest.load(Path(folder)).episodes)}")


def _repair(words: list[str]) -> None:
    from trailkit.demos.repair import repair

    folder, *rest = words
    options("repair", rest, {})
    with _bar("repair") as track:
        faults = repair(folder, track)
    for fault in faults:
        print(f"{folder}/{fault.file} {fault.reason}")
    print(f"{len(faults)} faults mended; what was damaged is in {folder}/damaged" if faults else f"{folder} was whole")


def _merge(words: list[str]) -> None:
    from trailkit.demos.edit import merge

    folders = [word for word in words if "=" not in word]
    out = _needed("merge", options("merge", [word for word in words if "=" in word], {"out": None}), "out")
    with _bar("merge") as track:
        merged = merge(folders, out, track)
    print(f"{out} holds {_episodes(merged)}")


def _split(words: list[str]) -> None:
    from trailkit.demos.edit import split

    folder, *rest = words
    given = options("split", rest, {"holdout": None, "out": folder.rstrip("/"), "seed": "0"})
    holdout, seed = (_number(key, _needed("split", given, key)) for key in ("holdout", "seed"))
    with _bar("split") as track:
        parts = split(folder, _needed("split", given, "out"), holdout, seed, track)
    for store in parts:
        print(f"{store.path} holds {_episodes(store)}")


def _render(words: list[str]) -> None:
    from trailkit.demos.rerender import rerender

    folder, *rest = words
    given = options("render", rest, dict.fromkeys(("out", "cameras", "height", "width", "appearance")))
    out = _needed("render", given, "out")
    cameras, looks = (None if given[key] is None else _names(str(given[key])) for key in ("cameras", "appearance"))
    height, width = (None if given[key] is None else _number(key, str(given[key])) for key in ("height", "width"))
    store = DemoStore.open(folder)
    with _bar("render") as track:
        for _ in track(rerender(store, out, cameras, height, width, looks), len(store)):
            pass
    print(f"{out} holds {_episodes(store)}")


@contextmanager
def _bar(verb: str) -> Iterator[Track]:
    """Shows the progress of a verb on standard error while it runs."""
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)

    def track(items: Iterable[Item], total: int | None) -> Iterable[Item]:
        progress.start()  # not earlier: without a terminal, stopping it prints an empty line
        return progress.track(items, total, description=verb)

    try:
        yield track
    finally:
        if progress.live.is_started:
            progress.stop()


def _episodes(episodes: Sized) -> str:
    return f"{len(episodes)} episode{'s' * (len(episodes) != 1)}"


def _audit(words: list[str]) -> None:
    from trailkit.agents.run.audit.command import audit_demos

    folder, *rest = words
    audit_demos(folder, rest)


def _needed(verb: str, given: Mapping[str, str | None], key: str) -> str:
    value = given[key]
    if not value:
        raise UserError(f"trailkit demos {verb} needs {key}=…: say which")
    return value


def _names(value: str) -> list[str]:
    """The parts of `[a,b]` or `a,b`."""
    return [name.strip() for name in value.strip("[]").split(",") if name.strip()]


def _number(key: str, value: str) -> int:
    if not value.isdecimal():
        raise UserError(f"{key}={value}: expected a whole number, 0 or more")
    return int(value)


def _convert(words: list[str]) -> None:
    from trailkit.demos.formats.adopt import Words
    from trailkit.demos.formats.convert import bring_in, export, make_format

    said_of_others = ("task", "episode_steps", "cameras", "proprio")
    source, *rest = words
    environment = [word for word in rest if word.startswith(("env=", "env."))]
    rest = [word for word in rest if word not in environment]
    given = options("convert", rest, dict.fromkeys(("to", "from", "out", "video", *said_of_others)))
    to, of, out = given["to"], given["from"], given["out"]
    if (to is None) == (of is None) or out is None:
        raise UserError(
            "say which way and where: trailkit demos convert DIR to=FORMAT out=PATH, or PATH from=… out=DIR"
        )
    unused = [key for key in (said_of_others if to else ("video",)) if given[key] is not None]
    if unused or given["video"] not in (None, "true", "false") or (given["video"] and to != "lerobot"):
        raise UserError("video=true or false goes with to=lerobot, and task=, cameras= and the like with from=")
    if environment and (to or given["task"] or given["episode_steps"]):
        raise UserError(
            "env= goes with from=, without task= and episode_steps=, which it says itself: env.episode_steps="
        )
    if to is not None:
        with _bar("convert") as track:
            done = export(DemoStore.open(source), make_format(to, given["video"] != "false"), Path(out), track)
    else:
        said = replace(Words.parse(given), environment=_environment(environment) if environment else None)
        with _bar("convert") as track:
            done = bring_in(Path(source), make_format(str(of)), Path(out), said, track)
    print(f"{done} demonstrations in {out}")


def _environment(words: list[str]) -> EnvSettings:
    """The environment described by the words of a command, as `record` takes them."""
    from trailkit.agents.run.build_env import env_settings
    from trailkit.agents.run.configuration import configure
    from trailkit.configs.schema import RecordConfig

    return env_settings(configure("record", RecordConfig, words).env)


_VERBS: dict[str, Callable[[list[str]], None]] = {
    "info": _info,
    "play": _play,
    "verify": _verify,
    "repair": _repair,
    "merge": _merge,
    "split": _split,
    "render": _render,
    "convert": _convert,
    "audit": _audit,
}
