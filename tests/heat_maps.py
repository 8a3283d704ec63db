"""Draws what GAIL's and TRAIL's discriminators look at where a patch of colour betrays the source.

`PYTHONPATH=tests:tests/discriminators python -m heat_maps docs/results/heat_maps.md` trains both on the frames of
`test_spurious_feature`, and writes a table and a picture beside it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from test_spurious_feature import GAIL, TRAIL, frames, mass_on_patch, train

from trailkit.agents.run.evaluation.explain import Judge
from trailkit.agents.run.evaluation.overlay import heated
from trailkit.discriminators.attribution import attribute

_SCALE = 8  # pixels of the picture for one of a frame


def main(path: Path) -> None:
    """Trains, measures and draws."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(2)
    expert, agent = frames(4, True, True, generator), frames(4, False, False, generator)
    lines = ["| discriminator | share of the map that lies on the patch |", "|---|---|"]
    rows = [np.hstack(list(expert.numpy()))]
    for name, loss in (("GAIL", GAIL), ("TRAIL, the patch in the constraining sets", TRAIL)):
        discriminator = train(loss)
        maps = attribute(discriminator, {"front": expert}, {"front": agent})["front"].numpy()
        judge = Judge(name, np.zeros(len(maps), np.float32), maps)
        rows.append(np.hstack([heated(picture, judge, number) for number, picture in enumerate(expert.numpy())]))
        lines.append(f"| {name} | {mass_on_patch(discriminator):.0%} |")
    picture = Image.fromarray(np.vstack(rows))
    picture.resize((picture.width * _SCALE, picture.height * _SCALE), Image.Resampling.NEAREST).save(
        path.with_suffix(".png")
    )
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
