"""Damages folders of demonstrations at random, and counts the damage that `verify` names and `repair` mends.

`PYTHONPATH=tests python -m fuzz_demos 500` does it as often as one likes; the tests do it a few times.
"""

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from demonstrations import SETTINGS, SOURCE, make_episode

from trailkit.demos.manifest import NAME
from trailkit.demos.record import provenance
from trailkit.demos.repair import repair
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify

EPISODES = 3
HARMS = ("cut", "flipped bit", "flipped bits", "emptied", "cut, no manifest", "flipped bit, no manifest")


def make_folder(path: Path) -> None:
    """Fills a folder with demonstrations that tell their environment and states."""
    store = DemoStore.create(path, SETTINGS, SOURCE)
    for number in range(EPISODES):
        metadata = provenance(store, seed=0, index=number)
        state = np.random.default_rng(number).normal(size=(7, 40))
        store.append(make_episode(number)._replace(metadata=metadata, state=state))


def harm(path: Path, how: str, random: np.random.Generator) -> None:
    """Damages a file."""
    data = bytearray(path.read_bytes())
    if how.startswith("cut"):
        del data[random.integers(1, len(data)) :]
    elif how == "emptied":
        data.clear()
    else:
        for place in random.choice(len(data), random.integers(2, 9) if how == "flipped bits" else 1, replace=False):
            data[place] ^= 1 << random.integers(8)
    path.write_bytes(data)


def contents(folder: Path) -> Counter[bytes]:
    """What is in all files of a folder, but for manifests, which change."""
    return Counter(path.read_bytes() for path in folder.rglob("*") if path.is_file() and NAME not in path.name)


def attempt(whole: Path, work: Path, how: str, random: np.random.Generator) -> str | None:
    """Damages one file of a copy of a folder, and says what `verify` or `repair` got wrong, if anything."""
    shutil.copytree(whole, work)
    names = [f"episode_{number:06d}.hdf5" for number in range(EPISODES)]
    missing = {NAME} if how.endswith("no manifest") else set()
    victim = str(random.choice(names if missing else [*names, NAME]))
    for name in missing:
        (work / name).unlink()
    harm(work / victim, how, random)
    before = contents(work)
    if (named := {fault.file for fault in verify(work)}) != {victim} | missing:
        return f"{how}: {victim} was damaged, {', '.join(sorted(named)) or 'nothing'} was named"
    repair(work)
    if faults := verify(work):
        return f"{how}: after repair {faults} remain"
    if before - contents(work):
        return f"{how}: something was deleted"
    if len(DemoStore.open(work)) != EPISODES - (victim != NAME):
        return f"{how}: an undamaged episode was lost"
    return None


def fuzz(count: int, folder: Path, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Makes attempts; returns how many there were of each kind, and what went wrong."""
    unpickled: list[str] = []
    sys.addaudithook(lambda event, _: unpickled.append(event) if event == "pickle.find_class" else None)
    random = np.random.default_rng(seed)
    make_folder(folder / "whole")
    kinds: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        how = HARMS[number % len(HARMS)]
        kinds[how] += 1
        wrong += filter(None, [attempt(folder / "whole", folder / "work", how, random)])
        shutil.rmtree(folder / "work")
    return kinds, wrong + unpickled


def main() -> None:
    """Runs as many attempts as the command line says, and reports."""
    count, seed = (int(word) for word in (*sys.argv[1:], *("500", "0")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        kinds, wrong = fuzz(count, Path(folder), seed)
    print("\n".join(wrong))
    print(f"{count - len(wrong)} of {count} damaged files were named, and the folder repaired:", dict(kinds))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
