"""Where a training's time goes: what its processes were at, in samples a hundredth of a second apart.

`PYTHONPATH=tests python -m where_time_goes REPORT.md env=… method=… minutes=3 …` trains under py-spy (pip install
py-spy; it needs root, or ptrace), and writes a table of shares for each process, with the counts as JSON beside it. A
process's shares are of the time in which it did anything; waiting is left out.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from trailkit import agents, demos, discriminators, envs, replay
from trailkit.agents.run.provenance import provenance

PACKAGES = (agents, demos, discriminators, envs, replay)

# Of a stack the innermost frame that one of these fits says what is done, so that the order counts for nothing else.
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


def counted(stacks: Iterable[str]) -> dict[str, Counter[str]]:
    """Samples by part, for each process, of the lines that py-spy writes with `--format raw --subprocesses`."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in stacks:
        for root, name in _ROOTS.items():
            line = line.replace(root, name)  # noqa: PLW2901 (wherever trailkit is installed)
        text, count = line.rsplit(" ", 1)
        frames = text.split(";")
        named = [frame for frame in frames if frame.startswith("process ")]
        process = re.search(r"ray::\w+", named[-1]) if named else None
        found[process.group() if process else "trailkit"][part_of(frames)] += int(count)
    return found


def table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Shares in percent as Markdown, a column for each process; parts under half a percent everywhere are left out."""
    sums = {process: sum(parts.values()) for process, parts in counts.items()}
    rows = []
    for part in [*PARTS, "other"]:
        shares = [100 * counts[process].get(part, 0) / sums[process] for process in counts]
        if max(shares) >= 0.5:
            rows.append(f"| {part} | {' | '.join(f'{share:.1f}' for share in shares)} |")
    head = [f"| % of its samples | {' | '.join(counts)} |", f"|---|{'---|' * len(counts)}"]
    return "\n".join([*head, *rows, f"| samples | {' | '.join(str(sums[each]) for each in counts)} |"]) + "\n"


def main(words: Sequence[str]) -> None:
    """Trains, and writes the report."""
    report, *rest = words
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        watch = [*("py-spy", "record", "--subprocesses", "--full-filenames", "--rate", "100", "--format", "raw")]
        train = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *rest]
        subprocess.run([*watch, "--output", str(stacks), "--", *train], check=True)
        counts = counted(stacks.read_text().splitlines())
    path = Path(report)
    path.write_text(table(counts))
    made = {"words": rest, "provenance": provenance(), "samples": counts}
    path.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
