import numpy as np
from demonstrations import SETTINGS, SOURCE, make_episode
from rich.console import Console

from trailkit.demos.info import summary
from trailkit.demos.record import provenance
from trailkit.demos.store import DemoStore


def make_store(path):
    store = DemoStore.create(path, SETTINGS, SOURCE)
    store.append(make_episode(0, length=6, solved_from=4))
    store.append(make_episode(1, length=8, solved_from=2))
    store.append(make_episode(2, length=10, solved_from=99))
    return store


def test_the_numbers_are_those_of_the_episodes(tmp_path):
    info = summary(make_store(tmp_path))
    assert (info.episodes, info.steps) == (3, 24)
    np.testing.assert_array_equal(info.lengths, [6, 8, 10])
    np.testing.assert_array_equal(info.successes, [True, True, False])
    np.testing.assert_array_equal(info.returns, [2, 6, 0])
    np.testing.assert_array_equal(info.first_success, [5, 3])
    assert info.size == sum(path.stat().st_size for path in tmp_path.glob("*.hdf5"))


def test_actions_are_counted_by_dimension(tmp_path):
    store = DemoStore.create(tmp_path, SETTINGS, SOURCE)
    episode = make_episode(length=4)
    episode.action[:] = [[-1, 0, 0, 1], [-1, 0, 0, 1], [-1, 0, 0, 1], [1, 0, 0, 1]]
    store.append(episode)
    actions = summary(store).actions
    assert actions.shape == (4, 20)
    assert (actions[0, 0], actions[0, -1], actions[3, -1]) == (3, 1, 4)
    np.testing.assert_array_equal(actions.sum(axis=1), 4)


def test_the_table_shows_what_one_wants_to_know(tmp_path):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))
    console.print(summary(make_store(tmp_path / "demos")))
    console.file.close()
    text = console.export_text()
    for words in ("lift", "24, 6 to 10 an episode, of 12 at most", "66.7%", "after 4 steps (median), 3 to 5"):
        assert words in text
    for words in ("front 16x20, proprioception", "cartesian, 20 Hz", "device scripted, noise 0.2", "mujoco", "grip"):
        assert words in text


def test_what_made_the_episodes_is_told_and_how_many_have_states(tmp_path):
    store = DemoStore.create(tmp_path, SETTINGS, {"device": "scripted", "noise": 0.2})
    for index in range(3):
        store.append(make_episode(index)._replace(metadata=provenance(store, seed=0, index=index)))
    other = DemoStore.create(tmp_path, SETTINGS, {"device": "browser"})
    played = make_episode(3)._replace(metadata=provenance(other, seed=1, index=0), state=np.ones((7, 5)))
    other.append(played)
    info = summary(DemoStore.open(tmp_path))
    assert info.states == 1
    (scripted, three), (browser, one) = info.provenance.items()
    assert (three, one) == (3, 1)
    assert scripted.startswith("device scripted, noise 0.2; trailkit ") and browser.startswith("device browser; ")


def test_demonstrations_without_a_success_are_summed_up_too(tmp_path):
    store = DemoStore.create(tmp_path, SETTINGS, SOURCE)
    store.append(make_episode(solved_from=99))
    info = summary(store)
    assert info.first_success.shape == (0,)
    assert "first solved" not in [cell for column in info.__rich__().columns for cell in column.cells]
