"""Watches a training on a GPU: how many steps actors and learner make, and how busy the GPU is.

`PYTHONPATH=tests python -m busy REPORT.json launch=ray launch.actors=14 launch.learner_gpus=1 device=cuda minutes=3 …`
trains and prints the steps a second over the second half of the time, and the GPU's share of time in which kernels ran,
the actors' rasterisation among them, as nvidia-smi samples it.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from chaos import rows

SAMPLE = "nvidia-smi --query-gpu=utilization.gpu,memory.used,name --format=csv,noheader,nounits --loop-ms=500"


def train(words: list[str]) -> tuple[int, list[str]]:
    """Trains with the words; returns the exit code, and nvidia-smi's lines meanwhile."""
    sampler = subprocess.Popen(SAMPLE.split(), stdout=subprocess.PIPE, text=True)
    try:
        code = subprocess.run(
            [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words], check=False
        ).returncode
    finally:
        sampler.terminate()
    return code, sampler.communicate()[0].splitlines()


def main(words: list[str]) -> None:
    """Trains with the words after the first, and writes a report to the file that is the first."""
    report_path, *words = words
    folder = Path(next(word.removeprefix("out=") for word in words if word.startswith("out=")))
    code, lines = train(words)
    later = [line.split(", ") for line in lines[len(lines) // 2 :]]
    written = rows(folder)
    first, last = written[len(written) // 2], written[-1]
    seconds = float(last["seconds"]) - float(first["seconds"])
    report = {
        "words": [word for word in words if not word.startswith(("out=", "demos="))],
        "exit code": code,
        "GPU": later[-1][2],
        "seconds of the second half": round(seconds, 1),
        "actor steps/s": round((float(last["actor_steps"]) - float(first["actor_steps"])) / seconds, 1),
        "learner steps/s": round((float(last["step"]) - float(first["step"])) / seconds, 2),
        "samples per insert": round(float(last["samples_per_insert"]), 2),
        "GPU busy, %": round(float(np.mean([float(busy) for busy, _, _ in later])), 1),
        "GPU memory, MB": max(int(memory) for _, memory, _ in later),
    }
    Path(report_path).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
