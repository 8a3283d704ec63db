import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from demonstrations import assert_same, make_episode
from full_disk import file_size_limit

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import NAMES, bring_in, export, make_format
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin

SETTINGS = {
    "small, not square": EnvSettings("lift", observation=ObservationSettings(("front", "wrist"), 16, 20)),
    "larger": EnvSettings("lift_distracted", observation=ObservationSettings(height=40, width=40)),
    "odd": EnvSettings("reach", observation=ObservationSettings(height=33, width=35), episode_steps=7),
    "no proprioception": EnvSettings(
        "lift", observation=ObservationSettings(height=32, width=32, proprioception=False)
    ),
    "no camera": EnvSettings("reach", observation=ObservationSettings(cameras=())),
    "joints": EnvSettings("lift", ActionSpace.JOINT, ObservationSettings(height=32, width=32)),
}


ARM = EnvSettings(
    "arm:Arm-v0", observation=ObservationSettings(("own",), 32, 32, False), external=External(Origin.GYMNASIUM)
)


def there_and_back(store, out, name, video=True):
    other, back = out / f"{name}-v0", out / "back"
    assert export(store, make_format(name, video), other) == len(store)
    assert bring_in(other, make_format(name), back, Words()) == len(store)
    return DemoStore.open(back)


def files(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("name", NAMES)
def test_demonstrations_come_back_to_the_last_bit(tmp_path, make_store, name, settings):
    store = make_store(settings, actions=9 if settings.action_space is ActionSpace.JOINT else 4)
    back = there_and_back(store, tmp_path, name, video=False)
    for one, other in zip(store.episodes(), back.episodes(), strict=True):
        assert_same(one, other)
    before, after = store.manifest, back.manifest
    assert after.settings == before.settings
    assert (after.source, after.versions, after.created) == (before.source, before.versions, before.created)
    assert after.control_timestep == before.control_timestep


@pytest.mark.parametrize("name", NAMES)
def test_demonstrations_without_states_come_back_without(tmp_path, make_store, name):
    back = there_and_back(make_store(states=False), tmp_path, name, video=False)
    assert all(episode.state is None for episode in back.episodes())


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_that_terminates_comes_back_so(tmp_path, make_store, name):
    store = make_store(episodes=1)
    ended = make_episode(7, settings=store.settings)
    ended.discount[-1] = 0
    store.append(ended)
    assert_same(there_and_back(store, tmp_path, name, video=False).read(1), ended)


@pytest.mark.parametrize("name", NAMES)
def test_how_far_it_is_can_be_followed(tmp_path, make_store, name):
    followed = []

    def track(items, total):
        for item in items:
            followed.append(total)
            yield item

    export(make_store(), make_format(name), tmp_path / "out", track)
    bring_in(tmp_path / "out", make_format(name), tmp_path / "back", Words(), track)
    assert followed == [3] * 6


@pytest.mark.parametrize("name", NAMES)
def test_a_path_may_be_relative(tmp_path, make_store, monkeypatch, name):
    store = make_store()
    monkeypatch.chdir(tmp_path)
    assert len(there_and_back(store, Path("."), name)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_ten_and_more_demonstrations_keep_their_order(tmp_path, make_store, name):
    store = make_store(EnvSettings("reach", observation=ObservationSettings(cameras=())), episodes=12)
    back = there_and_back(store, tmp_path, name)
    assert [episode.metadata["index"] for episode in back.episodes()] == list(range(12))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_is_not_overwritten(tmp_path, make_store, name):
    store = make_store()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="taken exists: choose another name"):
        export(store, make_format(name), tmp_path / "taken")
    export(store, make_format(name), tmp_path / "other")
    with pytest.raises(UserError, match="taken exists: choose another name"):
        bring_in(tmp_path / "other", make_format(name), tmp_path / "taken", Words())
    assert files(tmp_path / "taken") == ["thesis.txt"]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_text("")])
@pytest.mark.parametrize("name", NAMES)
def test_not_even_an_empty_folder_or_file_is_overwritten(tmp_path, make_store, name, make):
    store = make_store()
    make(tmp_path / "taken")
    with pytest.raises(UserError, match="taken exists: choose another name, nothing is overwritten"):
        export(store, make_format(name), tmp_path / "taken")
    export(store, make_format(name), tmp_path / "other")
    with pytest.raises(UserError, match="taken exists: choose another name, nothing is overwritten"):
        bring_in(tmp_path / "other", make_format(name), tmp_path / "taken", Words())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_when_the_disk_is_full(tmp_path, make_store, name):
    store = make_store()
    with file_size_limit(4000), pytest.raises(UserError, match=r"cannot write .*File too large"):
        export(store, make_format(name), tmp_path / "out")
    export(store, make_format(name, video=False), tmp_path / "whole")
    with file_size_limit(4000), pytest.raises(UserError, match=r"cannot write .*File too large"):
        bring_in(tmp_path / "whole", make_format(name), tmp_path / "back", Words())
    assert files(tmp_path) == ["demos", "whole"]


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_is_cut_short_is_noticed(tmp_path, make_store, name, part):
    export(make_store(), make_format(name), tmp_path / "whole")
    whole = tmp_path / "whole"
    # LeRobot's statistics and words for tasks are of no use here, and not read.
    paths = [whole] if whole.is_file() else [each for each in whole.rglob("*") if each.is_file()]
    for path in (each for each in paths if each.name not in ("stats.json", "tasks.parquet")):
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(UserError, match=r"whole.*(cannot be read as|is damaged|ends too early)"):
            bring_in(whole, make_format(name), tmp_path / "back", Words())
        path.write_bytes(content)
    assert files(tmp_path) == ["demos", "whole"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_in_the_format_is_refused(tmp_path, make_store, name):
    store = make_store()
    with pytest.raises(UserError, match="demos cannot be read as"):
        bring_in(store.path, make_format(name), tmp_path / "back", Words())
    with pytest.raises(UserError, match="nothing does not exist: name the file or folder"):
        bring_in(tmp_path / "nothing", make_format(name), tmp_path / "back", Words())
    assert files(tmp_path) == ["demos"]


def test_nothing_needs_to_be_said_of_what_trailkit_recorded(tmp_path, make_store):
    export(make_store(), make_format("robomimic"), tmp_path / "whole")
    with pytest.raises(UserError, match="was recorded by trailkit and says itself of which environment"):
        bring_in(tmp_path / "whole", make_format("robomimic"), tmp_path / "back", Words(task="reach"))


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(UserError, match="unknown format 'robomimc': did you mean 'robomimic'"):
        make_format("robomimc")


@pytest.mark.parametrize(("name", "library"), [("lerobot", "pyarrow"), ("minari", "minari")])
def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch, name, library):
    for module in [each for each in sys.modules if each.startswith("trailkit.demos.formats.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"{library}.*: pip install 'trailkit\[formats\]'"):
        make_format(name)


def test_a_demonstration_with_a_value_that_is_not_finite_is_named(tmp_path, make_store):
    export(make_store(), make_format("robomimic"), tmp_path / "whole")
    with h5py.File(tmp_path / "whole", "r+") as file:
        file["data/demo_1/actions"][2, 0] = np.nan
    with pytest.raises(
        UserError, match="whole, demonstration 1: the episode's action holds values that are not finite"
    ):
        bring_in(tmp_path / "whole", make_format("robomimic"), tmp_path / "back", Words())
    assert files(tmp_path) == ["demos", "whole"]


@pytest.mark.parametrize("name", NAMES)
def test_actions_that_were_changed_to_lie_beyond_the_bounds_are_named(tmp_path, make_store, monkeypatch, name):
    store = make_store()
    far = [episode._replace(action=5 * episode.action) for episode in store.episodes()]
    monkeypatch.setattr(store, "episodes", lambda: iter(far))
    export(store, make_format(name, video=False), tmp_path / "whole")
    with pytest.raises(UserError, match="whole, demonstration 0: its actions go beyond -1 and 1"):
        bring_in(tmp_path / "whole", make_format(name), tmp_path / "back", Words())


@pytest.mark.parametrize("name", NAMES)
def test_a_camera_that_others_have_no_name_for_is_named(tmp_path, make_store, name):
    store = make_store(ARM, actions=1)
    seen = replace(ARM.observation, cameras=("arm/eye",))
    store.manifest = replace(store.manifest, settings=replace(store.settings, observation=seen))
    with pytest.raises(UserError, match="no names with a slash, as the camera arm/eye has"):
        export(store, make_format(name), tmp_path / "out")


@pytest.mark.parametrize("name", NAMES)
def test_an_action_of_one_number_comes_back(tmp_path, make_store, name):
    store = make_store(ARM, actions=1)
    back = there_and_back(store, tmp_path, name, video=False)
    for one, other in zip(store.episodes(), back.episodes(), strict=True):
        assert_same(one, other)
