"""The command: `trailkit VERB key=value ...`.

A user's mistake ends in one line on standard error and exit code 2.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence

from trailkit.agents.run import usage
from trailkit.agents.run.configuration import configure, describe
from trailkit.configs.schema import EvaluateConfig, RecordConfig, RenderConfig, TrainConfig, WatchConfig
from trailkit.envs.errors import UserError, unknown

_HELP = """trailkit: robot imitation learning from pixels

usage: trailkit VERB [key=value ...]

  record     record demonstrations       trailkit record env=lift device=browser episodes=20 out=demos_lift
  train      train a policy              trailkit train method=trail env=lift demos=demos_lift
             go on with an earlier run   trailkit train resume=runs/lift_trail_seed0
             or begin it, if need be     trailkit train resume=auto method=trail env=lift demos=demos_lift
             several runs, one by one    trailkit train -m method=trail,gail seed=1,2,3 demos=demos_lift
  experiment train a grid, and compare   trailkit experiment methods seed=1,2 jobs=2 out=results/methods
  watch      see how a training goes     trailkit watch run=runs/lift_trail_seed0
  evaluate   measure a policy's success  trailkit evaluate run=runs/lift_trail_seed0 episodes=50 seed=0
  render     make videos of a policy     trailkit render run=runs/lift_trail_seed0 episodes=3
  compare    put runs side by side       trailkit compare runs/* out=results.md
  demos      look at demonstrations      trailkit demos info|play|verify|repair|audit DIR
             make others of them         trailkit demos merge|split|render|convert DIR... key=value
  doctor     see what works here         trailkit doctor env=lift demos=demos_lift launch=ray launch.actors=8
  bench      measure this machine        trailkit bench all|render|env|learner|replay|launch|demos|teleop

`trailkit VERB --help` lists what a verb can be told.
"""
_SCHEMAS = {
    "record": RecordConfig,
    "train": TrainConfig,
    "watch": WatchConfig,
    "evaluate": EvaluateConfig,
    "render": RenderConfig,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command, and exits with its code."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _dispatch(words)
    except UserError as error:
        print(f"trailkit: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has closed it, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return
    verb, *rest = words
    if verb not in _VERBS:
        raise unknown("verb", verb, _VERBS)
    if any(word in ("-h", "--help") for word in rest):
        _help(verb)
    else:
        _VERBS[verb](rest)


def _help(verb: str) -> None:
    lines = [line for line in _HELP.splitlines() if f"trailkit {verb}" in line]
    print("\n".join(line.strip() for line in lines))
    if verb in usage.WORDS:
        print(usage.of(verb), end="")
    else:
        print(describe(verb, _SCHEMAS[verb]), end="")


# Each verb imports what it needs only when called: torch, MuJoCo and TensorFlow take seconds, `--help` needs none.
# ruff: noqa: PLC0415


def _record(words: list[str]) -> None:
    from trailkit.agents.run.record import record_demos

    record_demos(configure("record", RecordConfig, words))


def _train(words: list[str]) -> None:
    from trailkit.agents.run.going_on import start_or_resume
    from trailkit.agents.run.train import resume, start, start_all

    if words and words[0] in ("-m", "--multirun"):
        start_all(words[1:])
        return
    resumed = [word.removeprefix("resume=") for word in words if word.startswith("resume=")]
    others = [word for word in words if not word.startswith("resume=")]
    if not resumed:
        start(words)
    elif resumed[-1] == "auto":
        start_or_resume(others)
    else:
        resume(resumed[-1], others)


def _experiment(words: list[str]) -> None:
    from trailkit.agents.run.experiment import experiment

    experiment(words)


def _watch(words: list[str]) -> None:
    from trailkit.agents.run.watch.command import watch

    watch(configure("watch", WatchConfig, words))


def _evaluate(words: list[str]) -> None:
    from trailkit.agents.run.evaluation.workers import workers_for

    config = configure("evaluate", EvaluateConfig, words)
    with workers_for(config) as workers:
        from trailkit.agents.run.evaluation.command import evaluate_run, evaluate_shifts  # while the workers start
        from trailkit.agents.run.evaluation.shifts import shift_table

        if config.suite is not None:
            for checkpoint, results in evaluate_shifts(config, workers):
                print(shift_table(checkpoint, results), end="")
            return
        for checkpoint, result in evaluate_run(config, workers):
            print(f"{checkpoint}: {result}")


def _render(words: list[str]) -> None:
    from trailkit.agents.run.evaluation.command import render_run

    for path in render_run(configure("render", RenderConfig, words)):
        print(path)


def _compare(words: list[str]) -> None:
    from trailkit.agents.run.compare.command import compare

    compare(words)


def _demos(words: list[str]) -> None:
    from trailkit.agents.run.demos_command import demos

    demos(words)


def _doctor(words: list[str]) -> None:
    from trailkit.agents.run.doctor import doctor

    if not doctor(words):
        sys.exit(1)


def _bench(words: list[str]) -> None:
    from trailkit.agents.run.bench.command import main as bench

    bench(words)


_VERBS: dict[str, Callable[[list[str]], None]] = {
    "record": _record,
    "train": _train,
    "experiment": _experiment,
    "watch": _watch,
    "evaluate": _evaluate,
    "render": _render,
    "compare": _compare,
    "demos": _demos,
    "doctor": _doctor,
    "bench": _bench,
}


if __name__ == "__main__":
    main()
