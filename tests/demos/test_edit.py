import dataclasses
from pathlib import Path

import pytest
from demonstrations import SETTINGS, SOURCE, assert_same, make_episode
from full_disk import file_size_limit

from trailkit.demos.edit import merge, split
from trailkit.demos.record import provenance
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify
from trailkit.envs.errors import UserError


def make_store(path, seeds, settings=SETTINGS, **source):
    store = DemoStore.create(path, settings, {**SOURCE, **source})
    for index, seed in enumerate(seeds):
        episode = make_episode(seed, settings=settings)
        store.append(episode._replace(metadata=provenance(store, seed=seed, index=index)))
    return store


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def seeds(store):
    return [row.metadata["recording_seed"] for row in store.manifest.episodes]


def test_merged_demonstrations_are_those_of_all_folders_in_order(tmp_path):
    one, other = make_store(tmp_path / "one", [0, 1]), make_store(tmp_path / "other", [2, 3, 4])
    before = contents(one.path), contents(other.path)
    merged = merge([one.path, other.path], tmp_path / "both")
    assert len(merged) == 5 and verify(merged.path) == ()
    for episode, source in zip(merged.episodes(), [*one.episodes(), *other.episodes()], strict=True):
        assert_same(episode, source)
    assert (contents(one.path), contents(other.path)) == before


def test_how_far_it_is_can_be_followed(tmp_path):
    followed = []

    def track(items, total):
        followed.append(total)
        return items

    one, other = make_store(tmp_path / "one", [0, 1]), make_store(tmp_path / "other", [2, 3, 4])
    merge([one.path, other.path], tmp_path / "both", track)
    split(tmp_path / "both", str(tmp_path / "both"), 2, track=track)
    verify(tmp_path / "both", track)
    assert followed == [5, 3, 2, 5, 6]  # the manifest is looked at, too


def test_merged_demonstrations_keep_their_provenance(tmp_path):
    one = make_store(tmp_path / "one", [0])
    other = make_store(tmp_path / "other", [1], device="browser", noise=0.0)
    merged = merge([one.path, other.path], tmp_path / "both")
    assert [row.metadata["device"] for row in merged.manifest.episodes] == ["scripted", "browser"]
    assert merged.manifest.created == min(one.manifest.created, other.manifest.created)


def test_merged_demonstrations_can_be_recorded_on(tmp_path):
    one, other = make_store(tmp_path / "one", [0]), make_store(tmp_path / "other", [1])
    merge([one.path, other.path], tmp_path / "both")
    store = DemoStore.create(tmp_path / "both", SETTINGS, SOURCE)
    assert store.append(make_episode(2)).name == "episode_000002.hdf5"


def test_folders_of_different_environments_are_not_merged(tmp_path):
    one = make_store(tmp_path / "one", [0])
    other = make_store(tmp_path / "other", [1], dataclasses.replace(SETTINGS, task="reach", episode_steps=9))
    with pytest.raises(
        UserError, match=r"other and .*one are of different.*task is reach, not lift, episode_steps is 9"
    ):
        merge([one.path, other.path], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_folder_is_not_merged_with_itself(tmp_path):
    one = make_store(tmp_path / "one", [0])
    with pytest.raises(UserError, match="names a folder twice"):
        merge([one.path, one.path.parent / "one"], tmp_path / "both")
    with pytest.raises(UserError, match="joins two or more folders"):
        merge([one.path], tmp_path / "both")


def test_a_damaged_episode_stops_a_merge_and_nothing_is_left_of_it(tmp_path):
    one, other = make_store(tmp_path / "one", [0, 1]), make_store(tmp_path / "other", [2, 3])
    path = other.path / "episode_000001.hdf5"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"other/episode_000001\.hdf5 is damaged.*trailkit demos repair"):
        merge([one.path, other.path], tmp_path / "both")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one", "other"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("")])
def test_nothing_that_exists_is_overwritten(tmp_path, make):
    one, other = make_store(tmp_path / "one", [0]), make_store(tmp_path / "other", [1])
    make(tmp_path / "both")
    with pytest.raises(UserError, match="both exists: choose another name"):
        merge([one.path, other.path], tmp_path / "both")


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path):
    one, other = make_store(tmp_path / "one", [0]), make_store(tmp_path / "other", [1])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/both: (File exists|Not a directory)"):
        merge([one.path, other.path], tmp_path / "file" / "both")


def test_a_full_disk_leaves_neither_part(tmp_path):
    store = make_store(tmp_path / "all", range(4))
    with file_size_limit(4096), pytest.raises(UserError, match=r"cannot write .*part_holdout: .*free some space"):
        split(store.path, str(tmp_path / "part"), 2)
    assert [each.name for each in tmp_path.iterdir()] == ["all"]


@pytest.mark.parametrize("failing", ["part_train", "part_holdout"])
def test_a_part_that_cannot_be_put_in_place_leaves_neither(tmp_path, monkeypatch, failing):
    store, rename = make_store(tmp_path / "all", range(4)), Path.rename

    def refused(self, target):
        if Path(target).name == failing:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UserError, match=f"cannot write .*{failing}: Permission denied"):
        split(store.path, str(tmp_path / "part"), 2)
    assert [each.name for each in tmp_path.iterdir()] == ["all"]


def test_a_split_shares_out_every_demonstration_once(tmp_path):
    store = make_store(tmp_path / "all", range(8))
    before = contents(store.path)
    train, held = split(store.path, str(tmp_path / "part"), holdout=3)
    assert (train.path, held.path) == (tmp_path / "part_train", tmp_path / "part_holdout")
    assert (len(train), len(held)) == (5, 3)
    assert sorted(seeds(train) + seeds(held)) == list(range(8))
    assert seeds(train) == sorted(seeds(train)) and seeds(held) == sorted(seeds(held))
    assert verify(train.path) == verify(held.path) == ()
    assert_same(held.read(0), store.read(seeds(held)[0]))
    assert contents(store.path) == before


def test_what_is_held_out_follows_from_the_seed(tmp_path):
    store = make_store(tmp_path / "all", range(8))
    drawn = [
        seeds(split(store.path, str(tmp_path / f"part{number}"), holdout=3, seed=seed)[1])
        for number, seed in enumerate((0, 0, 1))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("holdout", [0, 4, 5])
def test_a_split_leaves_something_on_either_side(tmp_path, holdout):
    store = make_store(tmp_path / "all", range(4))
    with pytest.raises(
        UserError, match=f"holdout is {holdout} of the 4 demonstrations in .*all: hold out at least one"
    ):
        split(store.path, str(tmp_path / "part"), holdout)


def test_where_one_part_exists_the_other_is_not_made(tmp_path):
    store = make_store(tmp_path / "all", range(4))
    (tmp_path / "part_holdout").mkdir()
    with pytest.raises(UserError, match="part_holdout exists"):
        split(store.path, str(tmp_path / "part"), 2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["all", "part_holdout"]
