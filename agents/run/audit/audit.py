"""An audit of demonstrations: could a discriminator cheat with them?"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from trailkit.agents.run.audit.cues import Cue, Pictures, appearance, in_a_row, movement, placement, usual_regions
from trailkit.agents.run.audit.frames import MAX_EPISODES, Part, draw_starts, join, play_random, read_demos
from trailkit.agents.run.audit.pictures import Panel, difference, median, overlay
from trailkit.agents.run.audit.probing import Probed, Side, run_probes
from trailkit.agents.run.audit.scene import Trainer
from trailkit.agents.run.audit.scoring import FOLDS, Accuracy, Floats
from trailkit.agents.run.audit.verdict import Verdict, decide
from trailkit.demos.match import differences
from trailkit.demos.store import DemoStore
from trailkit.discriminators.probe import ProbeSettings
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings

_RANDOM_EPISODES = 25
_STARTS = 200  # of the trainer's episodes: cheap, and more of them make the verdict on the demonstrations' surer
_DRAWINGS = 3  # ticks
_WITHOUT_STATES = (
    "the demonstrations have no simulator states of this task: only their first frames were compared with the "
    "trainer's, by what most of its own show at a pixel; where things lie and how the hand moves were not judged"
)
_LITTLE = 0.01  # of a logit: smaller effects are drawn dark, even if they are the largest

Tick = Callable[[], None]


class Audit(NamedTuple):
    """The result of an audit."""

    demonstrations: int  # how many were examined
    early_steps: int
    cues: list[Cue]
    early: Probed  # on early frames alone
    whole: Probed  # on frames spread over the episodes
    movement: list[Accuracy]  # from the hand's movement since the start, at ages 1, 2, …; empty without states
    notes: list[str]  # what could not be judged, and why
    verdict: Verdict
    sheets: dict[str, list[Panel]]  # by camera


def ticks(store: DemoStore) -> int:
    """How often an audit of a store reports progress."""
    return min(len(store), MAX_EPISODES) + _RANDOM_EPISODES + _DRAWINGS + 2 * FOLDS


def audit(
    store: DemoStore,
    settings: EnvSettings,
    early_steps: int,
    seed: int,
    tick: Tick,
    training: ProbeSettings | None = None,
) -> Audit:
    """Audits demonstrations.

    Args:
        store: The demonstrations.
        settings: The settings of the trainer's environment.
        early_steps: How many frames of an episode are early, i.e. before any progress on the task.
        seed: Seeds all random draws.
        tick: Called as often as `ticks` says.
        training: The training settings of the probes.

    Raises:
        UserError: If there are too few demonstrations, one is damaged, their images do not have the trainer's cameras
            and size, or nothing can be rendered here.
    """
    notes = list(_check(store, settings))
    demos = join(list(_ticking(read_demos(store, early_steps), tick)))
    agent = join(list(_ticking(play_random(settings, _RANDOM_EPISODES, early_steps, seed), tick)))
    assert agent.states is not None
    starts = draw_starts(settings, _STARTS, seed)
    with Trainer(settings) as trainer:
        agent = agent._replace(pictures=trainer.draw(agent.states))
        tick()
        known = demos.states is not None and settings.task == store.settings.task and trainer.takes(demos.states)
        if known:
            cues, moved, redrawn = _judge_states(trainer, demos, agent, starts, seed, tick)
        else:
            notes.append(_WITHOUT_STATES)
            cues, moved, redrawn = _judge_starts(trainer, demos, starts, seed, tick), [], None
    ours, theirs = (Side(part.pictures, part.moments) for part in (demos, agent))
    early = run_probes(ours.of(demos.moments.early), theirs.of(agent.moments.early), seed, tick, True, training)
    whole = run_probes(ours.of(demos.moments.spread), theirs.of(agent.moments.spread), seed, tick, False, training)
    count = 1 + int(demos.moments.episode.max())
    verdict = decide(cues, early.start, whole.accuracy, _solved_by(demos, early_steps), count)
    sheets = {camera: _panels(camera, demos, agent, redrawn, early) for camera in demos.pictures}
    return Audit(count, early_steps, cues, early, whole, moved, notes, verdict, sheets)


def _check(store: DemoStore, settings: EnvSettings) -> Iterator[str]:
    """Rejects what cannot be compared, and yields what a training would reject."""
    ours, theirs = settings.observation, store.settings.observation
    if not theirs.cameras:
        raise UserError(f"the demonstrations in {store.path} have no pictures: an audit looks at nothing else")
    pictures = [(each.cameras, each.height, each.width) for each in (ours, theirs)]
    if pictures[0] != pictures[1]:
        raise UserError(
            f"the demonstrations in {store.path} show {', '.join(theirs.cameras)} at {theirs.height}x{theirs.width}: "
            "give env.cameras, env.height and env.width the same, or draw them anew with trailkit demos render"
        )
    if len(store) < 2 * FOLDS:
        raise UserError(
            f"{store.path} holds {len(store)} demonstrations: an audit holds some out and needs at least {2 * FOLDS}"
        )
    if found := differences(store.settings, settings.looking_as(store.settings), store.manifest.control_timestep):
        yield f"the demonstrations are of another environment, and a training would refuse them: {found}"


def _ticking(parts: Iterator[Part], tick: Tick) -> Iterator[Part]:
    for part in parts:
        tick()
        yield part


def _judge_states(
    trainer: Trainer, demos: Part, agent: Part, starts: Floats, seed: int, tick: Tick
) -> tuple[list[Cue], list[Accuracy], Part]:
    """Compares the demonstrations with the same states rendered by the trainer, and their states with its own."""
    assert demos.states is not None and agent.states is not None
    redrawn = demos._replace(pictures=trainer.draw(demos.states))
    tick()
    regions = trainer.segment(demos.states)
    tick()
    ours, theirs = (Pictures(in_a_row(side.pictures), regions, demos.moments.episode) for side in (demos, redrawn))
    layouts = trainer.measure(demos.states), trainer.measure(agent.states)
    first = trainer.measure(demos.states[demos.moments.start])
    cues = [
        *appearance(ours, theirs, demos.moments, trainer.objects, seed),
        *placement(first, trainer.measure(starts), seed),
    ]
    return cues, movement(*layouts, (demos.moments, agent.moments), seed), redrawn


def _judge_starts(trainer: Trainer, demos: Part, starts: Floats, seed: int, tick: Tick) -> list[Cue]:
    """Compares the first frames of the demonstrations with those of the trainer's episodes."""
    drawn, regions = trainer.draw(starts), trainer.segment(starts)
    tick()
    tick()
    first = demos.moments.start
    ours = Pictures(
        in_a_row(demos.pictures)[first], usual_regions(regions, int(first.sum())), demos.moments.episode[first]
    )
    theirs = Pictures(in_a_row(drawn), usual_regions(regions, len(starts)), np.arange(len(starts)))
    return list(appearance(ours, theirs, None, [], seed))


def _solved_by(demos: Part, early_steps: int) -> list[float]:
    """For each early age, the share of the demonstrations in which the task is solved by then."""
    moments, episodes = demos.moments, 1 + demos.moments.episode.max()
    solved = [demos.solved & (moments.age <= age) & moments.early for age in range(early_steps)]
    return [len(np.unique(moments.episode[each])) / episodes for each in solved]


def _panels(camera: str, demos: Part, agent: Part, redrawn: Part | None, early: Probed) -> list[Panel]:
    ours = median(demos.pictures[camera][demos.moments.early])
    theirs = median(agent.pictures[camera][agent.moments.early])
    looked = early.maps[camera]
    panels = [
        Panel("demonstrations: median early frame", ours),
        Panel("trainer: median early frame", theirs),
        Panel("difference of the medians", difference(ours, theirs)),
        Panel(f"where the probe looks (up to {looked.max():.2f})", overlay(ours, looked / max(looked.max(), _LITTLE))),
    ]
    if redrawn is None:
        return panels
    pairs = demos.pictures[camera], redrawn.pictures[camera]
    mean = np.abs(pairs[0].astype(np.int16) - pairs[1]).mean(0).astype(np.uint8)
    return [
        *panels,
        Panel("a demonstration's first frame", pairs[0][0]),
        Panel("the same state, drawn by the trainer", pairs[1][0]),
        Panel("difference of all such pairs, mean", difference(mean, np.zeros_like(mean))),
    ]
