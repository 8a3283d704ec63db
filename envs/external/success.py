"""When an environment's task counts as solved, according to the environment."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from trailkit.envs.errors import UserError
from trailkit.envs.external.source import Moment

_USUAL = "success", "is_success"
_REWARD = re.compile(r"reward>=(-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)")
_FORMS = "info, info.KEY, terminated, never, or reward>=NUMBER"

Judge = Callable[[Moment], bool]


def judge(rule: str) -> Judge:
    """Returns the function that tells whether a step left the task solved.

    Args:
        rule: `info` reads "success" or "is_success" from the step's info, `info.KEY` another entry;
            `reward>=NUMBER` compares the environment's own reward; `terminated` is for environments that terminate on
            success; `never` is for those without a notion of success.

    Raises:
        UserError: If the rule is none of these. The returned function raises it if the info has no such entry.
    """
    if rule == "info":
        return lambda moment: _told(moment.info, _USUAL)
    if rule.startswith("info."):
        return lambda moment: _told(moment.info, (rule.removeprefix("info."),))
    if rule == "terminated":
        return lambda moment: moment.terminated
    if rule == "never":
        return lambda moment: False
    if found := _REWARD.fullmatch(rule.replace(" ", "")):
        least = float(found[1])
        return lambda moment: moment.reward >= least
    raise UserError(f"env.success={rule}: expected {_FORMS}")


def _told(info: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    for key in keys:
        if key in info:
            return bool(info[key])
    has = f"its info has {', '.join(map(str, info))}" if info else "its info is empty"
    raise UserError(f"the environment tells no {' or '.join(keys)} ({has}): say what success is, env.success={_FORMS}")
