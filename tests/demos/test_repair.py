import os
import shutil

import pytest
from demonstrations import SETTINGS, SOURCE, assert_same, make_episode
from kill_recorder import kill_recorders

from trailkit.demos.record import provenance
from trailkit.demos.repair import repair
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


@pytest.fixture
def store(tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    for index in range(3):
        store.append(make_episode(index)._replace(metadata=provenance(store, seed=0, index=index)))
    return store


def test_damaged_files_are_moved_aside_and_the_others_stay(store):
    damaged = store.path / "episode_000001.hdf5"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    (store.path / "notes.txt").write_text("mine")
    (store.path / ".episode_000003.hdf5.1.partial").write_bytes(b"half")
    assert len(repair(store.path)) == 3
    assert verify(store.path) == ()
    mended = DemoStore.open(store.path)
    assert [row.file for row in mended.manifest.episodes] == ["episode_000000.hdf5", "episode_000002.hdf5"]
    assert mended.manifest.source == SOURCE and mended.manifest.created == store.manifest.created
    aside = store.path / "damaged"
    assert sorted(os.listdir(aside)) == [
        *(".episode_000003.hdf5.1.partial", "episode_000001.hdf5", "manifest.json", "notes.txt")
    ]
    assert (aside / "notes.txt").read_text() == "mine"
    assert (aside / "episode_000001.hdf5").stat().st_size == 1000


def test_a_whole_folder_is_left_as_it_is(store):
    before = sorted((path.name, path.stat().st_mtime_ns) for path in store.path.iterdir())
    assert repair(store.path) == ()
    assert sorted((path.name, path.stat().st_mtime_ns) for path in store.path.iterdir()) == before


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_text("{"), os.truncate])
def test_a_lost_manifest_is_written_anew_from_the_episodes_alone(store, harm):
    path = store.path / "manifest.json"
    harm(path, 10) if harm is os.truncate else harm(path)
    repair(store.path)
    assert verify(store.path) == ()
    mended = DemoStore.open(store.path)
    assert mended.settings == store.settings
    assert mended.manifest.episodes == store.manifest.episodes
    assert mended.manifest.source == SOURCE
    assert mended.manifest.versions == store.manifest.versions
    assert mended.manifest.control_timestep == store.manifest.control_timestep
    assert_same(mended.read(2), store.read(2))


def test_the_lost_manifest_of_an_environment_of_elsewhere_is_written_anew(tmp_path):
    external = External(Origin.GYMNASIUM, kwargs={"tells": True})
    seen = ObservationSettings(("own",), 16, 20, proprioception=False)
    settings = EnvSettings("arm:Arm-v0", observation=seen, external=external)
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    store.append(make_episode(settings=settings, actions=1)._replace(metadata=provenance(store, seed=0, index=0)))
    (store.path / "manifest.json").unlink()
    assert [fault.file for fault in repair(store.path)] == ["manifest.json"]
    assert DemoStore.open(store.path).settings == settings


def test_a_repaired_folder_is_recorded_on(store):
    (store.path / "manifest.json").unlink()
    (store.path / "episode_000001.hdf5").write_bytes(b"")
    repair(store.path)
    DemoStore.create(store.path, SETTINGS, SOURCE).append(make_episode(3))
    assert verify(store.path) == ()


def test_the_most_frequent_environment_is_kept_when_the_manifest_is_lost(store, tmp_path):
    foreign = DemoStore.create(tmp_path / "other", store.settings.__class__("reach"), SOURCE)
    episode = make_episode(9, settings=foreign.settings)
    path = foreign.append(episode._replace(metadata=provenance(foreign, 0, 0)))
    shutil.copy(path, store.path / "episode_000009.hdf5")
    (store.path / "manifest.json").unlink()
    assert [fault.file for fault in repair(store.path)] == ["episode_000009.hdf5", "manifest.json"]
    assert DemoStore.open(store.path).settings == SETTINGS


def test_episodes_that_are_gone_leave_the_manifest(store):
    (store.path / "episode_000001.hdf5").unlink()
    [fault] = repair(store.path)
    assert fault.file == "episode_000001.hdf5"
    assert verify(store.path) == ()


def test_repairs_do_not_overwrite_what_earlier_ones_moved_aside(store):
    for size in (100, 200):
        path = store.path / "episode_000002.hdf5"
        path.write_bytes(b"x" * size)
        repair(store.path)
        DemoStore.create(store.path, SETTINGS, SOURCE).append(make_episode(2))
    aside = store.path / "damaged"
    assert [(aside / name).stat().st_size for name in ("episode_000002.hdf5", "episode_000002.1.hdf5")] == [100, 200]
    assert (aside / "manifest.1.json").is_file()


def test_where_nothing_tells_the_environment_nothing_is_moved(tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    store.append(make_episode())
    (store.path / "manifest.json").unlink()
    (store.path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"no manifest\.json that can be read, and no episode.*restore manifest\.json"):
        repair(store.path)
    assert sorted(os.listdir(store.path)) == ["episode_000000.hdf5", "notes.txt"]


def test_a_folder_that_cannot_be_written_is_named_in_one_line(store):
    (store.path / "damaged").write_text("in the way")
    (store.path / "episode_000001.hdf5").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*demos: File exists"):
        repair(store.path)
    assert (store.path / "episode_000001.hdf5").exists()


@pytest.mark.slow
def test_killed_recorders_lose_nothing_and_what_they_leave_is_mended(tmp_path):
    report = kill_recorders(3, tmp_path)
    assert report.wrong == []
    assert report.kills == 3 and report.episodes > 3


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is no folder"):
        repair(tmp_path / "nowhere")
