"""How a policy copes with conditions it was not trained on: the environments of `suite=shifts`, and their table."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.evaluation.elsewhere import HERE, Elsewhere
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.statistics import compare_policies
from trailkit.configs.schema import EnvConfig
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import Appearance
from trailkit.envs.tasks import TASKS

_AS_TRAINED = "as trained"
_log = logging.getLogger(__name__)


def shifts(trained: EnvConfig) -> dict[str, Elsewhere]:
    """The environments by how they differ: unchanged, each appearance, all of them, and distractors if they exist.

    Appearances that the environment cannot have, such as another colour for an arm that it lacks, are left out with a
    warning.

    Args:
        trained: The environment of the run. An appearance that it already has is undone where it is named.
    """
    places = {_AS_TRAINED: HERE}
    possible = list(_possible(trained))
    places |= {each.value: Elsewhere(appearance=_changed(trained, [each])) for each in possible}
    if len(possible) > 1:
        places["all of these"] = Elsewhere(appearance=_changed(trained, possible))
    if (distracted := f"{trained.task}_distracted") in TASKS:
        places["distractors"] = Elsewhere(task=distracted)
    return places


def shift_table(checkpoint: str, results: Mapping[str, Evaluation]) -> str:
    """The evaluations of one checkpoint in Markdown, each compared with the unchanged one on the same starts."""
    outcomes = {name: {each.seed: each.success for each in result.episodes} for name, result in results.items()}
    lines = [
        f"| step {int(checkpoint) if checkpoint.isdigit() else checkpoint} | success, 95% interval "
        "| change, percentage points | p (McNemar) |",
        "|---|---|---|---|",
    ]
    for name, result in results.items():
        low, high = result.interval.low, result.interval.high
        change = ["", ""]
        if name != _AS_TRAINED:
            verdict = compare_policies(outcomes[name], outcomes[_AS_TRAINED])
            change = [f"{100 * verdict.difference:+.0f}", f"{verdict.p_value:.2g}"]
        success = f"{result.success:.0%} [{100 * low:.0f}, {100 * high:.0f}] of {len(result.episodes)}"
        lines.append(f"| {name} | {success} | {change[0]} | {change[1]} |")
    return "\n".join(lines) + "\n"


def _possible(trained: EnvConfig) -> Iterator[Appearance]:
    """The appearances that can be applied to the run's environment."""
    for each in Appearance:
        try:
            make_environment(replace(env_settings(trained), appearance=_changed(trained, [each]))).close()
        except UserError as error:
            _log.warning("suite=shifts leaves out %s: %s", each.value, error)
        else:
            yield each


def _changed(trained: EnvConfig, these: Iterable[Appearance]) -> tuple[str, ...]:
    """The appearances in force after toggling these."""
    return tuple(sorted({*trained.appearance} ^ {each.value for each in these}))
