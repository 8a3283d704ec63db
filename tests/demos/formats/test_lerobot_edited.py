"""LeRobotDatasets that someone has edited, or wrote otherwise than trailkit does."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demonstrations import SOURCE, assert_same, make_episode

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in
from trailkit.demos.formats.lerobot import LeRobot
from trailkit.demos.formats.lerobot_pictures import Images, Videos
from trailkit.demos.formats.png import png
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings

FRONT = "observation.images.front"
FILE = "chunk-000/file-000"
SETTINGS = EnvSettings("lift", observation=ObservationSettings(height=64, width=64), episode_steps=60)


@pytest.fixture
def alike(tmp_path):
    """Demonstrations of one length, so that nothing but what they hold tells one from another."""
    made = DemoStore.create(tmp_path / "alike", SETTINGS, SOURCE)
    for number in range(3):
        episode = make_episode(number, 8, SETTINGS, index=number)
        made.append(episode._replace(state=np.random.default_rng(number).normal(size=(9, 5))))
    return made


def brought_back(tmp_path):
    bring_in(tmp_path / "out", LeRobot(Videos), tmp_path / "back", Words())
    return DemoStore.open(tmp_path / "back")


def store_alike_but_for_pictures(tmp_path, seeds):
    """Demonstrations that differ in their pictures only, where the seeds are equal."""
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    for number, seed in enumerate(seeds):
        episode = make_episode(seed, 8, SETTINGS, index=number)
        episode.observation["front"][:] = (20 * np.arange(9) + 5 * number)[:, None, None, None]
        store.append(episode)
    return store


def assert_ends_as_it_stood(episode, recorded):
    """Says whether an episode is taken like one of others: nothing after the last action, and no states."""
    for name, values in recorded.observation.items():
        np.testing.assert_array_equal(episode.observation[name][:-1], values[:-1])
        np.testing.assert_array_equal(episode.observation[name][-1], values[-2])
    assert episode.state is None
    np.testing.assert_array_equal(episode.discount, np.ones(recorded.length))


def chosen(path, order):
    """Edits a dataset of episodes of one length: those of `order` are left, in that order and with new numbers."""
    file = path / f"data/{FILE}.parquet"
    rows = pq.read_table(file).to_pylist()
    kept = [[row for row in rows if row["episode_index"] == number] for number in order]
    renumbered = [
        {**row, "episode_index": number, "index": number * len(steps) + row["frame_index"]}
        for number, steps in enumerate(kept)
        for row in steps
    ]
    pq.write_table(pa.Table.from_pylist(renumbered), file)
    file = path / f"meta/episodes/{FILE}.parquet"
    places = pq.read_table(file).to_pylist()
    pq.write_table(pa.Table.from_pylist([{**places[old], "episode_index": new} for new, old in enumerate(order)]), file)


def with_column(path, name, change):
    """Edits a column of the table of steps, a cell after another."""
    file = path / f"data/{FILE}.parquet"
    table = pq.read_table(file)
    cells = [change(row, cell) for row, cell in enumerate(table[name].to_pylist())]
    column = pa.array(cells, table.schema.field(name).type)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), file)


def test_a_rest_that_is_missing_is_not_taken_from_another_episode(alike, tmp_path, caplog):
    LeRobot(Images).write(alike, tmp_path / "out")
    path = tmp_path / "out/meta/trailkit/episodes.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    back = brought_back(tmp_path)
    assert_ends_as_it_stood(back.read(0), alike.read(0))
    for untouched in (1, 2):
        assert_same(back.read(untouched), alike.read(untouched))
    assert f"{tmp_path}/out: episode 0 changed after trailkit wrote it" in caplog.text


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1), (0, 0, 1)], ids=["swapped", "one left out", "one twice"])
@pytest.mark.parametrize("pictures", [Videos, Images])
def test_episodes_that_were_put_in_another_order_keep_what_is_theirs(alike, tmp_path, caplog, pictures, order):
    LeRobot(pictures).write(alike, tmp_path / "out")
    chosen(tmp_path / "out", order)
    for episode, index in zip(brought_back(tmp_path).episodes(), order, strict=True):
        recorded = alike.read(index)
        np.testing.assert_array_equal(episode.observation["front"][-1], recorded.observation["front"][-1])
        np.testing.assert_array_equal(episode.observation["proprio"], recorded.observation["proprio"])
        np.testing.assert_array_equal(episode.state, recorded.state)
        assert episode.metadata == recorded.metadata
    assert not caplog.text


CHANGES = {
    "action": lambda row, cell: [0.0] * 4 if row == 9 else cell,
    "observation.state": lambda row, cell: [0.0] * 21 if row == 9 else cell,
    "next.reward": lambda row, cell: 5.0 if row == 9 else cell,
    "next.success": lambda row, cell: True if row == 9 else cell,
    FRONT: lambda row, cell: {**cell, "bytes": png(np.zeros((64, 64, 3), np.uint8))} if row == 9 else cell,
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_episode_that_was_changed_is_taken_like_one_of_others(alike, tmp_path, caplog, name):
    LeRobot(Images).write(alike, tmp_path / "out")
    with_column(tmp_path / "out", name, CHANGES[name])
    back = brought_back(tmp_path)
    changed = back.read(1)
    for values in changed.observation.values():
        np.testing.assert_array_equal(values[-1], values[-2])
    assert (changed.state, changed.metadata) == (None, {"name": "episode 1"})
    for untouched in (0, 2):
        assert_same(back.read(untouched), alike.read(untouched))
    assert f"{tmp_path}/out: episode 1 changed after trailkit wrote it" in caplog.text


def test_videos_alone_do_not_tell_episodes_apart_but_their_places_do(tmp_path, caplog):
    store = store_alike_but_for_pictures(tmp_path, seeds=(0, 0))
    LeRobot(Videos).write(store, tmp_path / "out")
    for episode, recorded in zip(brought_back(tmp_path).episodes(), store.episodes(), strict=True):
        np.testing.assert_array_equal(episode.observation["front"][-1], recorded.observation["front"][-1])
        assert episode.metadata == recorded.metadata
    assert not caplog.text


def test_where_neither_digest_nor_place_tell_nothing_is_taken(tmp_path, caplog):
    LeRobot(Videos).write(store_alike_but_for_pictures(tmp_path, seeds=(0, 1, 1)), tmp_path / "out")
    chosen(tmp_path / "out", (2, 0))  # in the place of another, it could be either of two
    episode = brought_back(tmp_path).read(0)
    np.testing.assert_array_equal(episode.observation["front"][-1], episode.observation["front"][-2])
    assert "out: episode 0 changed after trailkit wrote it" in caplog.text


def with_info(path, **values):
    file = path / "meta/info.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_a_camera_that_was_taken_out_is_missed(alike, tmp_path):
    LeRobot(Videos).write(alike, tmp_path / "out")
    features = json.loads((tmp_path / "out/meta/info.json").read_text())["features"]
    with_info(tmp_path / "out", features={key: feature for key, feature in features.items() if key != FRONT})
    with pytest.raises(
        UserError, match=r"out, demonstration 0: an episode has the cameras \{\}, expected \{'front': .*"
    ):
        brought_back(tmp_path)


def with_rows(path, **values):
    """Edits all rows of the table of episodes."""
    file = path / f"meta/episodes/{FILE}.parquet"
    pq.write_table(pa.Table.from_pylist([{**row, **values} for row in pq.read_table(file).to_pylist()]), file)


def without_column(path, name):
    file = path / f"data/{FILE}.parquet"
    pq.write_table(pq.read_table(file).drop_columns([name]), file)


def of_words(path, name):
    file = path / f"data/{FILE}.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(table.column_names.index(name), name, pa.array(["up"] * len(table))), file)


def with_cells(name, cell):
    return lambda path: with_column(path, name, lambda _row, _cell: cell)


def ragged(name):
    def edit(path):
        file = path / f"data/{FILE}.parquet"
        table = pq.read_table(file)
        column = pa.array([cell[: 1 + row % 2] for row, cell in enumerate(table[name].to_pylist())])
        pq.write_table(table.set_column(table.column_names.index(name), name, column), file)

    return edit


NAN, STATE = float("nan"), "observation.state"
UNUSABLE = {
    "no rate": (lambda path: with_info(path, fps=0), "out cannot .*: fps is 0, expected a number of steps in a second"),
    "words for a rate": (lambda path: with_info(path, fps="20"), "out cannot .*: fps is '20', expected a number"),
    "no features": (lambda path: with_info(path, features=None), "out cannot be read as a LeRobotDataset v3"),
    "no episodes": (lambda path: (path / f"meta/episodes/{FILE}.parquet").unlink(), "out holds no demonstrations"),
    "no steps": (lambda path: with_rows(path, length=0), "out, episode 0 cannot .*: it has no steps"),
    "no times": (with_cells("timestamp", None), "out, episode 0 cannot .*: timestamp is of type object, expected numb"),
    "times of NaN": (with_cells("timestamp", NAN), "the steps of episode 0 do not follow each other at 20 Hz"),
    "no actions": (lambda path: without_column(path, "action"), "out, episode 0 cannot .*: not found: .*action"),
    "words for actions": (lambda path: of_words(path, "action"), "out, episode 0 cannot .*: action is of type <U2"),
    "ragged actions": (ragged("action"), "out, episode 0 cannot .*: action differs in shape between steps"),
    "NaN actions": (with_cells("action", [NAN] * 4), "demonstration 0: .*action holds values that are not finite"),
    "large actions": (
        with_cells("action", [9.0] * 4),
        "demonstration 0: actions of up to 9: expected all within -1 and",
    ),
    "no state": (lambda path: without_column(path, STATE), r"out, episode 0, observation\.state cannot .*: not found"),
    "words for a state": (
        lambda path: of_words(path, STATE),
        r"episode 0, observation\.state cannot .* is of type <U2",
    ),
    "ragged state": (ragged(STATE), r"episode 0, observation\.state cannot .*: .* differs in shape between steps"),
    "NaN state": (with_cells(STATE, [NAN] * 21), "demonstration 0: .*proprio holds values that are not finite"),
    "no picture": (with_cells(FRONT, None), r"episode 0, observation\.images\.front cannot .*: a picture is missing"),
    "a path": (
        with_cells(FRONT, {"bytes": None, "path": "a.png"}),
        "episode 0, .*front cannot .*: a picture is missing",
    ),
    "no PNG": (with_cells(FRONT, {"bytes": b"x", "path": None}), "episode 0, .*front cannot .*: a picture is damaged"),
    "empty rewards": (with_cells("next.reward", None), "out, episode 0 cannot .*: reward is of type object"),
    "empty success": (with_cells("next.success", None), "out, episode 0 cannot .*: success is of type object"),
}


@pytest.mark.parametrize(("edit", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_named_in_one_line(alike, tmp_path, edit, message):
    LeRobot(Images).write(alike, tmp_path / "out")
    shutil.rmtree(tmp_path / "out/meta/trailkit")
    edit(tmp_path / "out")
    with pytest.raises(UserError, match=f"^.*{message}.*$") as error:
        bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words(task="lift"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "back").exists()
