"""Finds the policy of a run that its training evaluated best."""

import json
from collections.abc import Iterable
from pathlib import Path


def evaluation_file(run: Path, step: int) -> Path:
    """The path of the training's evaluation of a learner step."""
    return run / "evaluations" / f"{step:09d}" / "eval_info.json"


def best_step(run: Path, steps: Iterable[int]) -> int | None:
    """The learner step with the highest success, of equals the newest; None if none was evaluated."""
    shares = {step: _share(evaluation_file(run, step)) for step in steps}
    evaluated = [(share, step) for step, share in shares.items() if share is not None]
    return max(evaluated)[1] if evaluated else None


def _share(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text())["aggregated"]["pc_success"])
    except (OSError, ValueError, KeyError, TypeError):  # `trailkit compare` reports the damage
        return None
