"""`trailkit evaluate` and `trailkit render`: what a run's checkpoints are worth, and what they look like."""

from pathlib import Path
from typing import Any

import torch

from trailkit.agents.base import Policy
from trailkit.agents.run import build
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.evaluate import Evaluation, evaluate
from trailkit.agents.run.train import load_config
from trailkit.agents.run.video import record_videos
from trailkit.configs.schema import EvaluateConfig, RenderConfig
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError

UNTRAINED = "untrained"


def evaluate_run(config: EvaluateConfig) -> Evaluation:
    """Evaluates a checkpoint, and writes `eval_info.json` into `evaluations/<step>/seed…_episodes…/` of the run.

    Raises:
        UserError: If there is no such run or checkpoint.
    """
    folder = Path(config.run)
    env, policy, step = _load(folder, config.checkpoint, config.threads)
    result = evaluate(env, policy, config.episodes, config.seed)
    # Beside the training's own evaluation of this step, which `compare` reads.
    out = folder / "evaluations" / step / f"seed{config.seed}_episodes{config.episodes}"
    videos = record_videos(env, policy, out / "videos", episodes=1, seed=config.seed) if config.video else []
    result.write(out / "eval_info.json", videos)
    env.close()
    return result


def render_run(config: RenderConfig) -> list[Path]:
    """Renders episodes of a checkpoint, and returns the videos' paths.

    Raises:
        UserError: If there is no such run or checkpoint.
    """
    folder = Path(config.run)
    env, policy, step = _load(folder, config.checkpoint, config.threads)
    out = Path(config.out) if config.out is not None else folder / "videos" / step
    paths = record_videos(
        env, policy, out, config.episodes, config.seed, tuple(config.cameras), config.height, config.width
    )
    env.close()
    return paths


def _load(folder: Path, checkpoint: str, threads: int) -> tuple[Environment, Policy, str]:
    """Makes a run's environment and its policy as of a checkpoint; also returns the checkpoint's name."""
    torch.set_num_threads(threads)
    config = load_config(folder)
    config.device = "cpu"  # where policies act, wherever they learned
    env = Environment(build.env_settings(config.env), config.seed)
    agent = build.make_agent(config, env.settings)
    if checkpoint == UNTRAINED:
        agent.evaluator.load(agent.learner.parameters())
        return env, agent.evaluator, UNTRAINED
    step, state = _read(Checkpoints(folder / "checkpoints"), folder, checkpoint)
    agent.learner.load_state_dict(state["learner"])
    agent.evaluator.load(agent.learner.parameters())
    return env, agent.evaluator, f"{step:09d}"


def _read(checkpoints: Checkpoints, folder: Path, name: str) -> tuple[int, dict[str, Any]]:
    if name == "last":
        found = checkpoints.latest()
        if found is None:
            raise UserError(f"{folder} holds no checkpoint yet")
        return found
    if not name.isdigit():
        raise UserError(f"checkpoint={name}: give a learner step, last or {UNTRAINED}")
    if not checkpoints.path_of(int(name)).is_dir():
        there = sorted(path.name for path in (folder / "checkpoints").glob("[0-9]*"))
        raise UserError(f"{folder} has no checkpoint of step {name}: it has {', '.join(there) or 'none'}")
    return checkpoints.load(checkpoints.path_of(int(name)))
