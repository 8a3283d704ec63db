"""The display of `trailkit watch`: an episode, the metrics as curves, and what goes wrong."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from trailkit.agents.run.watch.blocks import fitted, sparkline
from trailkit.agents.run.watch.status import Standing, limits, number
from trailkit.demos.video import Frame

_NARROWEST, _WIDEST = 8, 60  # characters of a curve
_LABEL, _VALUE = 25, 9  # characters, including the gap to the next column
_GAP = 3
_CAPTION = 3  # lines below an image


class Scene(NamedTuple):
    """A moment of an episode in progress."""

    picture: Frame  # what the policy sees, uint8 [height, width, 3]
    checkpoint: int  # learner step of the policy
    episode: int  # counted from 0
    solved: Sequence[bool]  # after each step so far
    length: int  # steps of a whole episode


class Screen(NamedTuple):
    """The whole display, for rich; it fills the terminal."""

    standing: Standing
    scene: Scene | None  # None until there is a checkpoint

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        above, below = _head(self.standing), _foot(self.standing)
        around = sum(len(console.render_lines(each, options.update(height=None))) for each in (above, below))
        lines = max(1, options.max_height - around - _CAPTION)
        columns = max(_NARROWEST, options.max_width - _GAP - _LABEL - _NARROWEST - _VALUE)
        episode = _episode(self.scene, console.color_system, columns, lines)
        taken = min(columns, console.measure(episode, options=options).maximum)
        curve = min(_WIDEST, max(_NARROWEST, options.max_width - taken - _GAP - _LABEL - _VALUE))
        body = Grid.grid(padding=(0, _GAP, 0, 0))
        body.add_column(no_wrap=True, width=taken)
        body.add_column(no_wrap=True)
        body.add_row(episode, _curves(self.standing, curve, lines + _CAPTION))
        yield Group(above, body, below)


def _head(standing: Standing) -> RenderableType:
    step, actor_steps, minutes = standing.clocks
    config = standing.config
    title = Grid.grid(expand=True)
    title.add_column(no_wrap=True, ratio=1)
    title.add_column(no_wrap=True)
    title.add_row(
        Text.assemble((str(standing.folder), "bold"), ("   " + standing.title, "cyan")),
        Text("Ctrl-C ends the view", "dim"),
    )
    clocks = [f"{step:,} of {config.steps:,} learner steps"]
    clocks += [f"{actor_steps:,} steps played"] if actor_steps else []
    clocks += [f"{minutes:.1f} minutes" if config.minutes is None else f"{minutes:.1f} of {config.minutes:g} minutes"]
    line = Text.assemble(",  ".join(clocks), ("   " + standing.age(), "dim"), no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(1.0, standing.share, complete_style="cyan", finished_style="green")
    return Group(title, line, bar, "")


def _foot(standing: Standing) -> RenderableType:
    said = Grid.grid(padding=(0, 1, 0, 0))
    for sentence in standing.findings:
        said.add_row(Text("●", "yellow"), Text(sentence))
    return Group("", said) if standing.findings else Group()


def _episode(scene: Scene | None, colours: str | None, columns: int, lines: int) -> RenderableType:
    if scene is None:
        return Text("waiting for the first checkpoint", "dim")
    if colours in (None, "standard"):
        picture: RenderableType = Text("no picture: this terminal has too few colours", "bright_black")
        width = columns
    else:
        picture = fitted(scene.picture, columns, lines)
        width = picture.pixels.shape[1]
    return Group(picture, _timeline(scene, width), _caption(scene))


def _timeline(scene: Scene, width: int) -> Text:
    """A line that fills with time, green while the task is solved."""
    line = Text()
    for column in range(width):
        step = column * scene.length // width
        ahead = step >= len(scene.solved)
        line.append("━", "grey23" if ahead else "green" if scene.solved[step] else "grey62")
    return line


def _caption(scene: Scene) -> RenderableType:
    solved = scene.solved
    state = ("   solved", "bold green") if solved[-1] else ("   was solved", "green") if any(solved) else ""
    return Group(
        Text.assemble(f"step {len(solved)} of {scene.length}", state),
        Text(f"episode {scene.episode}, policy of step {scene.checkpoint:,}", "dim"),
    )


def _curves(standing: Standing, width: int, lines: int) -> RenderableType:
    """The metrics over the learner steps, one per line; groups are separated if there is room."""
    groups, table = standing.groups(), standing.table
    if not groups:
        return Text("no metrics yet", "dim")
    apart = sum(map(len, groups)) + len(groups) <= lines
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, width=width)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_row("", Text("steps", "dim"), Text("newest", "dim"))
    for position, group in enumerate(groups):
        if position and apart:
            grid.add_row()
        for name in group:
            known, values = table.of(name)
            curve = sparkline(table.columns["step"][known], values, standing.clocks[0], width, limits(name))
            style = "green" if name.endswith("success") else "cyan"
            grid.add_row(name, Text(curve, style), Text(number(standing.newest(name)[1]), "bold"))
    return grid
