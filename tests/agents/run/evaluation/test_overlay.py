"""What an overlay shows of an explanation that was made by hand."""

import numpy as np
import pytest

from trailkit.agents.run.evaluation.explain import MAP_EVERY, Explanation, Judge
from trailkit.agents.run.evaluation.overlay import Overlay, side_by_side

STEPS = 9
PICTURES = [np.full((32, 32, 3), 100, np.uint8)] * STEPS
BLUE = (120, 190, 255)


def judge(name: str, cell: tuple[int, int] = (0, 0), value: float = 1.0) -> Judge:
    maps = np.zeros((-(-STEPS // MAP_EVERY), 4, 4), np.float32)
    maps[:, *cell] = value
    return Judge(name, np.linspace(0, 2, STEPS, dtype=np.float32), maps)


def explanation(discriminator: Judge | None, critic: Judge | None, stopped: int | None = None) -> Explanation:
    return Explanation(
        actions=np.array([[1.0, -0.5]] * STEPS, np.float32),
        discriminator=discriminator,
        critic=critic,
        atoms=np.array([-10.0, 0.0, 10.0], np.float32),
        distributions=np.array([[0.1, 0.2, 0.7]] * STEPS, np.float32),
        stopped=stopped,
    )


def coloured(panel: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((np.abs(panel.astype(int) - colour) < 12).all(2))


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 320), (720, 480)])
def test_the_panel_is_as_high_as_the_pictures(height: int, width: int) -> None:
    overlay = Overlay(explanation(judge("discriminator"), judge("critic")), PICTURES, height)
    assert overlay.draw(0).shape == overlay.draw(STEPS - 1).shape == (height, width, 3)


@pytest.mark.parametrize("height", [16, 64, 139])
def test_below_a_least_height_the_panel_is_higher_than_the_pictures(height: int) -> None:
    overlay = Overlay(explanation(judge("discriminator"), judge("critic")), PICTURES, height)
    assert overlay.draw(0).shape == (240, 320, 3)


def test_the_curve_grows_with_time() -> None:
    overlay = Overlay(explanation(judge("discriminator"), None), PICTURES, 480)
    early, late = (coloured(overlay.draw(step)[24:96], BLUE)[:, 1].max() for step in (2, STEPS - 1))
    assert early < 120
    assert late > 300


def test_cells_that_raise_a_number_are_red_and_those_that_lower_it_blue() -> None:
    overlay = Overlay(explanation(judge("discriminator", (0, 3)), judge("critic", (3, 0), -1.0)), PICTURES, 480)
    maps = overlay.draw(0)[310:455].astype(int)
    red = np.argwhere(maps[:, :, 0] > maps[:, :, 2] + 100)
    blue = np.argwhere(maps[:, :, 2] > maps[:, :, 0] + 100)
    assert red[:, 0].max() < 37 and 118 <= red[:, 1].min() and red[:, 1].max() <= 155
    assert blue[:, 0].min() >= 108 and 165 <= blue[:, 1].min() and blue[:, 1].max() <= 202


def test_the_step_at_which_it_would_be_given_up_is_marked() -> None:
    marked, plain = (
        Overlay(explanation(judge("discriminator"), None, stopped), PICTURES, 480).draw(0) for stopped in (4, None)
    )
    columns = coloured(marked[30:90], (255, 170, 60))[:, 1]
    assert set(columns.tolist()) <= set(range(157, 164))
    assert len(columns) > 100
    assert len(coloured(plain, (255, 170, 60))) == 0


def test_bars_show_the_actions_of_a_policy_that_has_neither_discriminator_nor_critic() -> None:
    panel = Overlay(explanation(None, None), PICTURES, 480).draw(0)[216:284]
    first, second = coloured(panel[:30], BLUE)[:, 1], coloured(panel[34:], BLUE)[:, 1]
    assert first.min() >= 159 and first.max() >= 308
    assert second.max() <= 161 and 80 <= second.min() <= 90


def test_cameras_stand_side_by_side() -> None:
    observation = {"front": np.zeros((4, 4, 3), np.uint8), "wrist": np.ones((4, 4, 3), np.uint8)}
    assert side_by_side(observation, ("wrist", "front"))[0, :, 0].tolist() == [1] * 4 + [0] * 4
