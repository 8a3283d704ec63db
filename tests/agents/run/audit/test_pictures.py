"""The sheets can be read."""

import numpy as np
import pytest
from PIL import Image

from trailkit.agents.run.audit.pictures import Panel, difference, heat, median, overlay, save_sheet
from trailkit.envs.errors import UserError

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def test_a_sheet_has_every_panel_enlarged_under_a_heading(tmp_path):
    panels = [Panel(f"panel {i}", np.full((64, 64, 3), 10 * i, np.uint8)) for i in range(1, 7)]
    save_sheet(tmp_path / "out" / "front.png", "demos, camera front", panels)
    with Image.open(tmp_path / "out" / "front.png") as sheet:
        assert (sheet.format, sheet.width, sheet.height) == ("PNG", 1084, 638)
        pixels = np.asarray(sheet)
    for i in range(1, 7):
        assert (pixels == 10 * i).all(-1).sum() >= 256 * 256
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "front.png"]


def test_a_wide_picture_keeps_its_shape(tmp_path):
    save_sheet(tmp_path / "wide.png", "wide", [Panel("a", np.full((48, 96, 3), 7, np.uint8))])
    with Image.open(tmp_path / "wide.png") as sheet:
        assert (np.asarray(sheet) == 7).all(-1).sum() == 128 * 256


def test_more_is_brighter():
    shades = heat(np.linspace(0, 1, 30)[None]).astype(int).sum(-1)[0]
    assert (np.diff(shades) > 0).all()


def test_the_median_leaves_out_what_passes_by():
    pictures = np.full((5, 4, 4, 3), 100, np.uint8)
    for i in range(4):
        pictures[i, i] = 255
    assert (median(pictures) == 100).all()


def test_equal_pictures_differ_nowhere():
    one, other = PICTURE, PICTURE.copy()
    other[3, 4] ^= 128
    assert (difference(one, one) == heat(np.zeros((64, 64)))).all()
    assert (difference(one, other) != heat(np.zeros((64, 64)))).any(-1).sum() == 1


def test_an_overlay_shows_the_picture_below():
    dark, bright = (overlay(np.full((2, 2, 3), level, np.uint8), np.zeros((2, 2))) for level in (0, 255))
    assert (bright > dark).all()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*choose another folder"):
        save_sheet(tmp_path / "taken" / "front.png", "x", [Panel("a", PICTURE)])
