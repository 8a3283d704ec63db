"""Trains discriminators alone, on what an agent has played, and asks them about demonstrations that were kept back.

`PYTHONPATH=tests python -m holdout REPORT.md agent=RUN/replay updates=6000 env=… demos=… method=gail_aes,trail …`
takes the episodes of a run's replay for the agent's, and trains one discriminator for each of the sweep's settings:
TRAIL's Fig. 10 in minutes, without a policy. It writes mean D after the last updates as a table, the curves as JSON,
and a plot. With constraint=random the agent's constraining frames are those of the run's first, random policy, with
`cut=10` the agent's episodes end 10 steps after their first success; `jobs=2` trains two at a time. `other=DIR` asks
about the last 25 demonstrations of another folder, too, such as the same ones with an arm of the agent's colour: about
their first ten frames, and about those in which the task is solved.
"""

import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trailkit.agents.base import as_tensors
from trailkit.agents.run import build, build_data
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure, sweep
from trailkit.agents.run.loops import RANDOM
from trailkit.agents.run.provenance import provenance
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.discriminators.diagnostics import mean_score
from trailkit.replay.episode import STEP_FIELDS, Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.spill import Spill
from trailkit.replay.transition import Observation

OWN = ("agent", "updates", "cut", "jobs", "other")
EVERY = 500  # updates between two looks at the demonstrations
SCORES = ("disc_score_known", "disc_score_holdout", "disc_score_agent")
OTHERS = ("other_first", "other_solved")
WATCHED = ("disc_loss", "disc_acc", "disc_acc_constraint", "disc_constraint_fired", "disc_score_agent")


def episodes(folder: Path, cut: int | None) -> Iterator[Episode]:
    """What an agent has played, each episode up to `cut` steps after its first success."""
    for episode in Spill(folder, 10**9).load():
        solved = np.flatnonzero(episode.success)
        end = episode.length if cut is None or not len(solved) else min(episode.length, int(solved[0]) + cut)
        steps = {name: getattr(episode, name)[:end] for name in STEP_FIELDS}
        yield episode._replace(
            observation={k: v[: end + 1] for k, v in episode.observation.items()}, state=None, **steps
        )


def looks(folder: Path | None) -> dict[str, Observation]:
    """The pictures of the last demonstrations in a folder: of their first frames, and of those that are solved."""
    if folder is None:
        return {}
    store = DemoStore.open(folder)
    episodes = list(store.episodes(len(store) - 25))
    cameras = store.settings.observation.cameras

    def joined(rows: list[NDArray[np.intp]]) -> Observation:
        pairs = list(zip(episodes, rows, strict=True))
        return as_tensors({name: np.concatenate([e.observation[name][at] for e, at in pairs]) for name in cameras})

    solved = [1 + np.flatnonzero(episode.success)[::4] for episode in episodes]
    return dict(zip(OTHERS, (joined([np.arange(10)] * len(episodes)), joined(solved)), strict=True))


def trained(
    config: TrainConfig, played: Iterable[Episode], updates: int, others: Mapping[str, Observation]
) -> Iterator[dict[str, float]]:
    """Trains one discriminator; yields what it thinks every `EVERY` updates."""
    torch.set_num_threads(config.threads)
    settings = env_settings(config.env)
    demos = build_data.load_demos(config)
    assert demos.known is not None and demos.holdout is not None
    replay = MemoryReplay(config.replay.capacity, config.agent.n_step, config.env.early_steps, seed=config.seed)
    random = build_data.make_random_replay(config)
    for episode in played:
        replay.add(episode)
        if random is not None and episode.metadata["policy"] == RANDOM:
            random.add(episode)
    agent = build.make_agent(config, settings)
    model = agent.reward_model
    assert model is not None
    seen: list[list[float]] = []
    batches = build_data.make_batches(config, agent, demos, replay, random)
    for number, batch in enumerate(islice(batches, updates), 1):
        metrics = model.update(batch)
        seen.append([float(metrics[name]) if name in metrics else np.nan for name in WATCHED])
        if number % EVERY == 0:
            yield {
                "update": number,
                **dict(zip(WATCHED, np.mean(seen, 0).tolist(), strict=True)),
                "disc_score_known": mean_score(model.discriminator, demos.known.observation),
                "disc_score_holdout": mean_score(model.discriminator, demos.holdout.observation),
                **{name: mean_score(model.discriminator, frames) for name, frames in others.items()},
            }
            seen.clear()


def draw(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draws mean D over the updates: on the demonstrations learned from, and on those kept back."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, rows) in enumerate(curves.items()):
        for score, style in (("disc_score_known", "--"), ("disc_score_holdout", "-")):
            label = name if style == "-" else None
            axes.plot([r["update"] for r in rows], [r[score] for r in rows], style, color=f"C{number}", label=label)
    axes.set(xlabel="updates", ylabel="mean D (dashed: learned from; solid: kept back)", ylim=(0, 1))
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=150)


def table(curves: dict[str, list[dict[str, float]]]) -> str:
    """Mean D over the last four looks of each, as Markdown."""
    more = [name for name in OTHERS if any(name in row for rows in curves.values() for row in rows)]
    heads = ["D, learned from", "D, kept back", "D, agent", "accuracy on constraining frames"]
    heads += [f"D, {name.replace('_', ', ')}" for name in more]
    lines = [f"| discriminator | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, rows in curves.items():
        means = [np.mean([row[score] for row in rows[-4:]]) for score in (*SCORES, "disc_acc_constraint", *more)]
        lines.append(f"| {name} | {' | '.join('' if np.isnan(mean) else f'{mean:.2f}' for mean in means)} |")
    return "\n".join(lines) + "\n"


def alone(
    words: Sequence[str], agent: Path, updates: int, cut: int | None, other: Path | None
) -> list[dict[str, float]]:
    """Trains the discriminator of one run's settings, and returns what it thought all along."""
    config = configure("train", TrainConfig, [*words, "out=none"])
    return list(trained(config, episodes(agent, cut), updates, looks(other)))


def main(words: Sequence[str]) -> None:
    """Trains all of the sweep, and writes after each what there is."""
    report, *rest = words
    own = {key: value for key, value in (word.split("=", 1) for word in rest) if key in OWN}
    runs = list(sweep([word for word in rest if word.split("=")[0] not in own]))
    varied = [index for index, each in enumerate(zip(*runs, strict=True)) if len(set(each)) > 1]
    names = [" ".join(run[index] for index in varied) or "alone" for run in runs]
    curves: dict[str, list[dict[str, float]]] = {}
    path, cut = Path(report), int(own["cut"]) if "cut" in own else None
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(int(own.get("jobs", 1)), context, max_tasks_per_child=1) as pool:
        other = Path(own["other"]) if "other" in own else None
        train = partial(alone, agent=Path(own["agent"]), updates=int(own["updates"]), cut=cut, other=other)
        for name, rows in zip(names, pool.map(train, runs), strict=True):
            curves[name] = rows
            print(table({name: rows}).splitlines()[-1], flush=True)
            path.write_text(table(curves))
            made = {"words": list(rest), "provenance": provenance(), "curves": curves}
            path.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")
            draw(curves, path.with_suffix(".png"))


if __name__ == "__main__":
    main(sys.argv[1:])
