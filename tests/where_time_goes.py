"""Where a training's time goes: what it was at, in samples a hundredth of a second apart.

`PYTHONPATH=tests python -m where_time_goes REPORT.md env=… method=… minutes=3 …` trains inline under py-spy (`pip
install py-spy`; it needs root, or ptrace), and writes a table of shares, with the counts as JSON beside it. Ray's
processes are too many for py-spy to follow all at once: `py-spy top --pid` looks at one.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from trailkit import agents, demos, discriminators, envs, replay
from trailkit.agents.run.provenance import provenance

PACKAGES = (agents, demos, discriminators, envs, replay)

# Of a stack the innermost frame that one of these fits says what is done; of two that fit it the first counts.
PARTS = {
    "drawing": r"trailkit/envs/rendering\.py",
    "physics, and what is observed beside pictures": r"trailkit/envs/",
    "stop rule": r"trailkit/agents/stop\.py",
    "policy": r"trailkit/agents/acting\.py",
    "discriminator's update": r"^(update|_judge) .*trailkit/discriminators/adversarial_reward\.py",
    "rewards": r"^rewards? .*trailkit/discriminators/adversarial_reward\.py",
    "D4PG's update": r"trailkit/agents/d4pg\.py",
    "joining batches": r"trailkit/agents/adversarial\.py",
    "replay": r"trailkit/replay/",
    "metrics": r"trailkit/agents/run/(metrics|events|progress)\.py",
    "checkpoints": r"trailkit/agents/run/(checkpoint|serialization)\.py",
    "imports": r"importlib",
}
_ROOTS = {f"{Path(package.__path__[0])}/": f"trailkit/{package.__name__.split('.')[1]}/" for package in PACKAGES}


def part_of(frames: Sequence[str]) -> str:
    """What a stack, outermost frame first, was at."""
    for frame in reversed(frames):
        for part, pattern in PARTS.items():
            if re.search(pattern, frame):
                return part
    return "other"


def counted(stacks: Iterable[str]) -> Counter[str]:
    """Samples by part, of the lines that py-spy writes with `--format raw`."""
    found: Counter[str] = Counter()
    for line in stacks:
        for root, name in _ROOTS.items():
            line = line.replace(root, name)  # noqa: PLW2901 (wherever trailkit is installed)
        stack, count = line.rsplit(" ", 1)
        found[part_of(stack.split(";"))] += int(count)
    return found


def table(counts: Mapping[str, int]) -> str:
    """Shares in percent as Markdown."""
    whole = sum(counts.values())
    rows = [f"| {part} | {100 * counts[part] / whole:.1f} |" for part in [*PARTS, "other"] if part in counts]
    return "\n".join([f"| part | % of {whole} samples |", "|---|---|", *rows]) + "\n"


def main(words: Sequence[str]) -> None:
    """Trains, and writes the report."""
    report, *rest = words
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        watch = [*("py-spy", "record", "--full-filenames", "--rate", "100", "--format", "raw")]
        train = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *rest]
        subprocess.run([*watch, "--output", str(stacks), "--", *train], check=True)
        counts = counted(stacks.read_text().splitlines())
    path = Path(report)
    path.write_text(table(counts))
    made = {"words": rest, "provenance": provenance(), "samples": counts}
    path.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
