import threading

from trailkit.demos.folder import EPISODE, episode_name, locked, place_aside, set_aside


def test_names_are_told_by_number():
    assert episode_name(7) == "episode_000007.hdf5"
    assert EPISODE.fullmatch("episode_000007.hdf5")[1] == "000007"
    assert not EPISODE.fullmatch("episode_7.hdf5")


def test_what_is_set_aside_never_takes_the_place_of_another(tmp_path):
    for text in ("first", "second", "third"):
        (tmp_path / "a.txt").write_text(text)
        set_aside(tmp_path / "a.txt", "damaged")
    aside = tmp_path / "damaged"
    assert [(aside / name).read_text() for name in ("a.txt", "a.1.txt", "a.2.txt")] == ["first", "second", "third"]
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


def test_a_broken_link_keeps_its_name_too(tmp_path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "a.txt").symlink_to("nowhere")
    assert place_aside(tmp_path / "a.txt", "damaged").name == "a.1.txt"


def test_a_lock_keeps_others_waiting(tmp_path):
    order = []

    def wait():
        with locked(tmp_path):
            order.append("other")

    with locked(tmp_path):
        other = threading.Thread(target=wait)
        other.start()
        other.join(timeout=0.2)
        order.append("mine")
    other.join()
    assert order == ["mine", "other"]
