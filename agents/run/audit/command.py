"""`trailkit demos audit DIR [key=value ...]`: runs an audit, shows its progress, and prints its result."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from trailkit.agents.run.audit.audit import Audit, audit, ticks
from trailkit.agents.run.audit.pictures import save_sheet
from trailkit.agents.run.audit.scoring import Accuracy
from trailkit.agents.run.audit.verdict import finding, shown_early
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.env_file import expanded
from trailkit.configs.schema import AuditConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings
from trailkit.replay.atomic import written_aside

RESULT = "audit.json"
_BY_HEART = 0.1  # a larger gap in accuracy between training and held-out episodes is worth a remark


def audit_demos(folder: str, words: Sequence[str]) -> Path:
    """Audits the demonstrations in a folder, prints and writes the result; returns where.

    Raises:
        UserError: If a word is invalid, the demonstrations cannot be compared with the trainer's environment (see
            `audit`), or the results cannot be written.
    """
    store = DemoStore.open(folder)
    if store.settings.external is not None:
        raise UserError("an audit moves things and draws them anew, which it can in trailkit's own tasks alone")
    words = expanded(words)
    config = configure("audit", AuditConfig, [*_own_settings(store.settings, words), *words])
    if config.env.distract or config.env.seeded or store.settings.distract:
        raise UserError(
            "an audit compares demonstrations with the same moments as the trainer draws them, and with free starts: "
            "it takes no env.distract, nor demonstrations with it, and no env.seeded=true"
        )
    torch.set_num_threads(config.threads)
    columns = TextColumn("audit"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("audit", total=ticks(store))
        settings = env_settings(config.env)
        found = audit(store, settings, config.env.early_steps, config.seed, lambda: progress.advance(bar))
    out = Path(config.out or folder.rstrip("/") + "_audit")
    Console().print(tell(found))
    for camera, panels in found.sheets.items():
        save_sheet(out / f"{camera}.png", f"{folder}, camera {camera}", panels)
        print(out / f"{camera}.png")
    with written_aside(out / RESULT) as aside:
        aside.write_text(json.dumps(to_json(found, settings, config.seed), indent=1), encoding="utf-8")
    print(out / RESULT)
    return out


def to_json(found: Audit, settings: EnvSettings, seed: int) -> dict[str, object]:
    """The complete result except for the images, as JSON values."""
    verdict = found.verdict
    return {
        "demonstrations": found.demonstrations,
        "environment": settings.to_dict(),
        "early_steps": found.early_steps,
        "seed": seed,
        "probes": {
            name: {
                "held_out": probed.accuracy._asdict(),
                "held_out_first_frames": probed.start._asdict(),
                "train": probed.train,
            }
            for name, probed in (("early frames", found.early), ("whole episodes", found.whole))
        },
        "cues": {
            cue.name: {
                "finding": shown_early(cue).value,
                "early": cue.early and cue.early._asdict(),
                "whole": cue.spread and cue.spread._asdict(),
                "difference": cue.difference,
                "chance": cue.chance,
            }
            for cue in found.cues
        },
        "movement": [each._asdict() for each in found.movement],
        "notes": found.notes,
        "verdict": {**verdict._asdict(), "constraint": verdict.constraint.value},
    }


def tell(found: Audit) -> RenderableType:
    """The result, for people to read."""
    table = Table("cue", title="balanced accuracy on episodes held out, with its 95% interval")
    for heading in ("early frames", "whole episodes", "levels", "chance", ""):
        table.add_column(heading, no_wrap=True)
    for cue in found.cues:
        levels = "" if cue.difference is None else f"{cue.difference:.1f}"
        chance = "" if cue.chance is None else f"{cue.chance:.3f}"
        said = shown_early(cue).value
        table.add_row(cue.name, _text(cue.early), _text(cue.spread), levels, chance, said)
    table.add_section()
    table.add_row("discriminator", _text(found.early.accuracy), _text(found.whole.accuracy))
    table.add_row("on first frames", _text(found.early.start))
    lines = [*_learned_by_heart(found), *_moved(found), *(f"Note: {note}." for note in found.notes)]
    return Group(table, *map(Text, lines), Text(found.verdict.words, style="bold"))


def _learned_by_heart(found: Audit) -> list[str]:
    """What the probe of early frames memorised of its training episodes."""
    train, held_out = found.early.train, found.early.accuracy.mean
    if train - held_out < _BY_HEART:
        return []
    return [
        f"On early frames of the episodes that it was trained on, the discriminator is right {train:.0%} of the time, "
        f"on others {held_out:.0%}: what is between it learned by heart. The more demonstrations, the less of that."
    ]


def _moved(found: Audit) -> list[str]:
    """The age from which the hand's movement distinguishes an expert from chance: not cheating, but the task."""
    ages = [age for age, judged in enumerate(found.movement, start=1) if finding(judged).value == "found"]
    if not ages:
        return []
    return [
        f"From step {ages[0]} on the way that the hand has gone tells an expert from a random policy. That is the "
        "task, no cue; where TRAIL is slow to learn the approach, try a smaller env.early_steps."
    ]


def _text(judged: Accuracy | None) -> str:
    return "" if judged is None else f"{judged.mean:.2f} ({judged.low:.2f}-{judged.high:.2f})"


def _own_settings(settings: EnvSettings, words: Sequence[str]) -> list[str]:
    """The demonstrations' own settings as words, except for those given by the user."""
    observation = settings.observation
    own = {
        "env": settings.task,
        "env.action_space": settings.action_space.value,
        "env.cameras": f"[{','.join(observation.cameras)}]",
        "env.height": str(observation.height),
        "env.width": str(observation.width),
        "env.proprioception": str(observation.proprioception).lower(),
        "env.episode_steps": str(settings.episode_steps),
        "env.appearance": f"[{','.join(settings.appearance)}]",
        "env.distract": f"[{','.join(settings.distract)}]",
    }
    given = {word.partition("=")[0] for word in words}
    return [f"{key}={value}" for key, value in own.items() if key not in given]
