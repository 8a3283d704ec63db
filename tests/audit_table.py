"""Audits demonstrations that were made to cheat, and some that were not, and writes a table of the verdicts.

    PYTHONPATH=tests python -m audit_table FOLDER docs/results/audit.md 1 2 3

records 25 demonstrations of each case with each seed into FOLDER and audits them there. What is there already is not
made anew, so that a run that was cut off can be gone on with.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cheating import CASES, EPISODE_STEPS, Case, record_case

from trailkit.agents.run.audit.command import RESULT, audit_demos
from trailkit.replay.atomic import written_aside

EPISODES = 25
_NAMED_BY = "colour"  # says that something looks different, and not what


def run(name: str, case: Case, seed: int, folder: Path) -> dict[str, Any]:
    """Records and audits one case with one seed."""
    demos = folder / f"{name.replace(', ', '_').replace(' ', '_')}_{seed}"
    record_case(case, demos, EPISODES, seed)
    out = Path(f"{demos}_audit")
    if not (out / RESULT).exists():
        began = time.process_time()
        audit_demos(str(demos), [f"seed={seed}", "threads=1"])
        (out / "seconds").write_text(f"{time.process_time() - began:.1f}")
    found = json.loads((out / RESULT).read_text())
    named = set(found["verdict"]["found"]) - {_NAMED_BY}
    return {
        "case": name,
        "seed": seed,
        "planted": sorted(case.planted),
        "named": sorted(named),
        "right": case.planted <= named <= case.planted | case.entailed,
        "seconds of processor time": float((out / "seconds").read_text()),
        **found,
    }


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows, as Markdown, and what they are."""
    yield "# Audits of demonstrations that were made to cheat, and of some that were not"
    yield ""
    yield f"`PYTHONPATH=tests python -m audit_table FOLDER docs/results/audit.md {_seeds(rows)}`:"
    yield f"{EPISODES} demonstrations by the scripted expert in each set, episodes of {EPISODE_STEPS} steps, recorded"
    yield "and audited with the same seed. The method was sought on sets of other seeds."
    yield ""
    yield "Planted is what `tests/cheating.py` changed. Named are the cues that the verdict names, but for colour,"
    yield "which says that something looks different and not what. A verdict is right if all that was planted is named,"
    yield "and nothing else but what that entails: with distractors in the far corners, the red block is never there."
    yield "The numbers are the balanced accuracy of a discriminator on early frames of episodes held out, and on the"
    yield "first of them."
    yield ""
    yield "| case | seed | planted | named | early frames | of them the first | constraint | verdict is |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        probe = row["probes"]["early frames"]
        judged = (f"{probe[key]['mean']:.2f}" for key in ("held_out", "held_out_first_frames"))
        planted, named = (", ".join(row[key]) or "nothing" for key in ("planted", "named"))
        verdict = "right" if row["right"] else "wrong"
        constraint = row["verdict"]["constraint"]
        cells = row["case"], str(row["seed"]), planted, named, *judged, constraint, verdict
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"{sum(row['right'] for row in rows)} of {len(rows)} verdicts are right."


def _seeds(rows: list[dict[str, Any]]) -> str:
    return " ".join(map(str, sorted({row["seed"] for row in rows})))


def main(words: list[str]) -> None:
    """Does as the module says."""
    folder, out, *seeds = words
    rows = [run(name, case, int(seed), Path(folder)) for seed in seeds for name, case in CASES.items()]
    rows.sort(key=lambda row: list(CASES).index(row["case"]))
    for path, text in (
        (Path(out), "\n".join(table(rows)) + "\n"),
        (Path(out).with_suffix(".json"), json.dumps(rows, indent=1) + "\n"),
    ):
        with written_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
