"""A training's metrics in Weights & Biases, beside its own files."""

import importlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trailkit.demos.extra import extra
from trailkit.envs.errors import UserError
from trailkit.envs.imports import one_line
from trailkit.replay.atomic import written_aside


class WeightsAndBiases:
    """One run there for each run here, which goes on when the training does.

    Who is logged in, whether it is offline and the like is wandb's own to know (`wandb login`, `WANDB_MODE`).
    """

    def __init__(self, folder: Path, project: str, settings: Mapping[str, Any]) -> None:
        """Begins the run of a folder, or goes on with it.

        Args:
            folder: Of the run; `wandb_run.txt` in it keeps the name that the other one has.
            project: In which it is.
            settings: Of the run, by their keys.

        Raises:
            UserError: If wandb is not installed, or refuses.
        """
        with extra("wandb"):
            wandb = importlib.import_module("wandb")
        note = folder / "wandb_run.txt"
        if not note.exists():
            with written_aside(note) as aside:
                aside.write_text(uuid.uuid4().hex[:8])
        quiet = wandb.Settings(console="off", silent=True)
        try:
            self._run: Any = wandb.init(
                project=project,
                id=note.read_text(),
                name=folder.resolve().name,
                dir=folder,
                config=dict(settings),
                resume="allow",
                settings=quiet,
            )
        except Exception as error:
            raise UserError(f"wandb={project}: {one_line(error)}; or leave wandb= out") from error
        # A training that goes on from a checkpoint makes some steps again, which wandb's own steps must not be.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to each curve."""
        self._run.log({"step": step, **values})

    def close(self) -> None:
        """Ends the run, once all of it is sent."""
        self._run.finish()
