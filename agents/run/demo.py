"""`make demo`: from nothing to a policy that lifts a block, with the commands that a user would type."""

from pathlib import Path

from trailkit.agents.run.cli import main as trailkit
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation.command import evaluate_run, render_run
from trailkit.agents.run.evaluation.saved import UNTRAINED
from trailkit.agents.run.evaluation.workers import workers_for
from trailkit.configs.schema import EvaluateConfig, RenderConfig

_DEMOS = "demos_lift"
_RUN = "runs/demo"
_EPISODES = 50


def main() -> None:
    """Records, trains, evaluates and renders; continues an interrupted earlier attempt."""
    _say("record", f"trailkit record env=lift device=scripted episodes=100 seed=0 out={_DEMOS}")
    trailkit(["record", "env=lift", "device=scripted", "episodes=100", "seed=0", f"out={_DEMOS}"])
    words = ["method=trail", "env=lift", f"demos={_DEMOS}", "seed=1", "steps=8000", "minutes=10", f"out={_RUN}"]
    _say("train", "trailkit train " + " ".join(words))
    begun = (Path(_RUN) / "config.yaml").exists()
    trailkit(["train", f"resume={_RUN}"] if begun else ["train", *words])
    _say("evaluate", f"trailkit evaluate run={_RUN} episodes={_EPISODES} seed=0")
    words = [f"run={_RUN}", f"episodes={_EPISODES}"]
    here, before = (
        configure("evaluate", EvaluateConfig, [*words, *more]) for more in ([], [f"checkpoint={UNTRAINED}"])
    )
    with workers_for(here) as workers:
        ((_, trained),) = evaluate_run(here, workers)
        ((_, untrained),) = evaluate_run(before, workers)
    _say("render", f"trailkit render run={_RUN} episodes=1")
    videos = render_run(configure("render", RenderConfig, [f"run={_RUN}", "episodes=1"]))
    print(f"\nuntrained policy: {untrained}\ntrained policy:   {trained}\nvideo:            {videos[0]}")


def _say(step: str, command: str) -> None:
    print(f"\n== {step}: {command}", flush=True)


if __name__ == "__main__":
    main()
