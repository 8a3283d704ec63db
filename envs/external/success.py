"""When a task of an environment is solved, as far as the environment says."""

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
    """What tells of a step whether it left the task solved.

    Args:
        rule: `info` reads "success" or "is_success" of the step's info, `info.KEY` another entry; `reward>=NUMBER`
            compares the environment's own reward; `terminated` is for those that end where they are solved; `never`
            is for those that know no success.

    Raises:
        UserError: If the rule is none of these. The judge raises it where the info has no such entry.
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
