"""From `key=value` words to typed configuration.

Hydra composes the YAML groups; mistakes become one-line errors that name the closest alternatives.
"""

import functools
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import Container, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trailkit.agents.run.env_file import expanded
from trailkit.agents.run.words import quoted, text
from trailkit.configs.checks import check_own_task, check_together
from trailkit.configs.choices import EarlyStop
from trailkit.configs.explained import explained
from trailkit.configs.schema import AMPLE, AuditConfig, LaunchConfig, RecordConfig, TrainConfig, store_schemas
from trailkit.envs.errors import UserError, unknown

Config = TypeVar("Config")

_MODULE = "trailkit.configs"
_PATHS = ("out", "demos", "random_demos", "run")
OPEN = ("env.kwargs", "env.proprio")  # mappings whose keys are the user's
_NO_LIST = re.compile(r"is not a ListConfig, list or tuple[\s\S]*full_key: (\S+)")
_MISSING = re.compile(r"missing mandatory value: \w+[\s\S]*full_key: (\S+)")
# What may change when a run is resumed.
CHANGEABLE = (
    *("steps", "minutes", "checkpoint_every", "keep_checkpoints", "evaluation.every", "wandb"),
    *("threads", "device", "cuda_graph", "replay.backend", "replay.capacity"),  # on another machine
    *(f"launch.{each.name}" for each in fields(LaunchConfig)),
    *("demos", "random_demos"),  # if they were moved: they must be those that it started with
)
_IN_GROUPS = {"launch": "launch.kind", "replay": "replay.backend"}  # the key that a group's name stands for there


def configure(name: str, schema: type[Config], words: Sequence[str]) -> Config:
    """Composes a configuration and converts it to dataclasses.

    Args:
        name: The name of the primary configuration file, e.g. "train".
        schema: The dataclass to convert to.
        words: Hydra overrides; `env=` may name a file, see `env_file`.

    Raises:
        UserError: For a key, a group choice or a value that does not exist or does not fit.
    """
    store_schemas()
    words = [_quoted(word) for word in expanded(words)]
    with initialize_config_module(_MODULE, version_base="1.3"):
        _check(name, words)
        try:
            made = typed(compose(name, [f"++{word}" if _is_open(word) else word for word in words]), schema)
        except HydraException as error:
            raise UserError(_one_line(error)) from error
    if isinstance(made, TrainConfig):
        check_together(made)
    if isinstance(made, TrainConfig | RecordConfig | AuditConfig):
        check_own_task(made.env)
    return made


def describe(name: str, schema: type[Any]) -> str:
    """Lists the groups of a primary configuration with their choices, and the keys with their values and meanings."""
    store_schemas()
    with initialize_config_module(_MODULE, version_base="1.3"):
        config = compose(name)
        loader = GlobalHydra.instance().config_loader()
        groups = [group for group in loader.list_groups("") if group in config]
        choices = [f"  {group}={'|'.join(loader.get_group_options(group))}" for group in groups]
    said = "\nchoices:\n" + "\n".join(choices) + "\n" if choices else ""
    values = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    keys = [(f"{key}={_shown(values, key)}", meaning) for key, meaning in explained(schema)]
    lines = [f"  {word:<40} {meaning}".rstrip() for word, meaning in keys]
    return f"{said}\nkeys, and what they are set to:\n" + "\n".join(lines) + "\n"


def _shown(values: Any, key: str) -> str:
    """What a key is set to, as a word of the command says it; nothing if it must be given."""
    value = functools.reduce(lambda level, name: level[name], key.split("."), values)
    if isinstance(value, str):
        return "" if value == "???" else value
    return text(key, value).replace("'", "")


def typed(config: Any, schema: type[Config], *changes: Any) -> Config:
    """Converts a composed configuration to dataclasses, with changes to it if there are any.

    Raises:
        UserError: If a value is missing or does not fit.
    """
    try:
        made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), config, *changes))
    except OmegaConfBaseException as error:
        raise UserError(_one_line(error)) from error
    assert isinstance(made, schema)
    return made


def load_config(folder: Path, words: Sequence[str] = ()) -> TrainConfig:
    """Reads the configuration that a run was started with.

    Raises:
        UserError: If the folder contains no run.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(f"{folder} holds no run: there is no {path.name} in it")
    words = [f"{_IN_GROUPS.get(key, key)}{equals}{value}" for key, equals, value in (w.partition("=") for w in words)]
    for word in words:
        if word.split("=")[0] not in CHANGEABLE or "=" not in word:
            raise UserError(f"{word!r} cannot change in a run: start another, or give {', '.join(CHANGEABLE)}")
    try:
        saved = OmegaConf.load(path)
        _renew(saved)
        changes = OmegaConf.from_dotlist([word for word in words if not _is_plain_path(word)])
        for key, _, value in (word.partition("=") for word in words if _is_plain_path(word)):
            OmegaConf.update(changes, key, os.path.expanduser(value))  # YAML would read 2024_11_28 as a number
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path} or {' '.join(words)!r} cannot be read: {' '.join(str(error).split())}") from error
    try:
        begun = typed(saved, TrainConfig)
    except UserError as error:
        raise UserError(f"{path} is damaged or of another version of trailkit: {error}") from error
    if not words:
        return begun
    if "launch.kind=inline" in words:
        begun.launch = LaunchConfig()  # other launch settings apply only to launch=ray
    changed = typed(OmegaConf.structured(begun), TrainConfig, changes)
    if any(word.startswith(("launch.", "replay.", "device=")) for word in words):
        check_together(changed)
    return changed


def flat(config: TrainConfig) -> dict[str, Any]:
    """All settings of a run by their keys, such as agent.n_step; every run has the same keys."""
    return dict(_flat(OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)))


def _renew(saved: Container) -> None:
    """Updates settings that an earlier version wrote to the current form.

    Early stopping was on or off, crops were measured in pixels, and `env.trial_steps` was never null.
    """
    early_stop = OmegaConf.select(saved, "actor.early_stop")
    if isinstance(early_stop, bool):
        OmegaConf.update(saved, "actor.early_stop", (EarlyStop.adaptive if early_stop else EarlyStop.never).name)
    crop, height = (OmegaConf.select(saved, key) for key in ("discriminator.crop", "env.height"))
    if isinstance(crop, int) and crop > 1 and height:
        OmegaConf.update(saved, "discriminator.crop", min(1.0, crop / height))
    if OmegaConf.select(saved, "env.trial_steps") == AMPLE:
        OmegaConf.update(saved, "env.trial_steps", None)


def sweep(words: Sequence[str]) -> Iterator[list[str]]:
    """Yields the overrides of each run of a sweep: `seed=1,2 method=trail,gail` makes four."""
    choices = []
    for word, override in zip(words, _parse(words), strict=True):
        key = override.get_key_element()
        if not override.is_sweep_override():
            choices.append([word])
            continue
        if _is_plain_path(word):
            choices.append([f"{key}={part}" for part in word.partition("=")[2].split(",")])
            continue
        try:
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        except HydraException as error:
            raise UserError(f"{word!r} does not list its values, as in {key}=1,2,3: {_one_line(error)}") from error
    for run in itertools.product(*choices):
        yield list(run)


def reads(word: str) -> bool:
    """Whether Hydra can parse a word as it is."""
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def _parse(words: Sequence[str]) -> list[Override]:
    for word in words:
        if "=" not in word:
            raise UserError(f"{word!r} is not of the form key=value")
    try:
        return OverridesParser.create().parse_overrides([_quoted(word) for word in words])
    except HydraException as error:
        raise UserError(_one_line(error)) from error


def _check(name: str, words: Sequence[str]) -> None:
    """Finds keys and group choices that do not exist, to name the closest ones that do."""
    loader: ConfigLoader = GlobalHydra.instance().config_loader()
    groups = set(loader.list_groups(""))
    whole: Any = OmegaConf.to_container(compose(name), resolve=False)
    groups &= set(whole)
    for word, override in zip(words, _parse(words), strict=True):
        key = override.key_or_group
        if _is_open(word):
            if key in OPEN and not isinstance(override.value(), dict):
                raise UserError(f"{word!r} gives no names: give {key}.NAME=…, or in a file a NAME: … below {key}")
            continue
        if override.is_sweep_override():
            raise UserError(f"{word!r} names several values: put -m before the first override to run them all")
        if key in groups:
            if override.value() not in (options := loader.get_group_options(key)):
                raise unknown(key, str(override.value()), options)
        elif key not in (keys := set(_keys(whole))):
            raise unknown("key", key, keys)


def _quoted(word: str) -> str:
    """The word for Hydra, whose grammar requires quotes around values like reward>=0.5 and some paths.

    The commas in a path remain those of a sweep.
    """
    key, equals, value = word.partition("=")
    if _is_plain_path(word):
        return key + equals + ",".join(quoted(os.path.expanduser(part)) for part in value.split(","))
    return re.sub(r"^(env\.success=)(reward *>=[^'\"]*)$", r"\1'\2'", word)


def _is_plain_path(word: str) -> bool:
    """Whether a word gives a path without Hydra's quotes."""
    key, _, value = word.partition("=")
    return key in _PATHS and value not in ("", "null") and value[0] not in "'\""


def _is_open(word: str) -> bool:
    """Whether a word sets a mapping whose keys are the user's."""
    key = word.partition("=")[0]
    return any(key == each or key.startswith(f"{each}.") for each in OPEN)


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def _one_line(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, UserError):
        return str(cause)
    if missing := _MISSING.search(str(cause)):
        return f"{missing[1]} is missing: give {missing[1]}=…"
    if single := _NO_LIST.search(str(cause)):
        return f"{single[1]} is a list: give {single[1]}=[…]"
    lines = [line.strip() for line in str(cause).splitlines()]
    return " ".join(line.replace("full_key:", "in") for line in lines if line and "_type=" not in line)


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and prefix + key not in OPEN:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
