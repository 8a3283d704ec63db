"""What looks otherwise, and what stays as it was."""

import itertools

import numpy as np
import pytest

from trailkit.envs.errors import UserError
from trailkit.envs.settings import Appearance, EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

_CAMERAS = ("front", "left", "right", "wrist")


def seen(appearance: tuple[str, ...] = (), task: str = "lift") -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The pictures of an episode's third step, and the simulator's state then."""
    observation = ObservationSettings(_CAMERAS, height=32, width=32, proprioception=False)
    with TaskEnvironment(EnvSettings(task, observation=observation, appearance=appearance), seed=3) as env:
        env.reset()
        for _ in range(3):
            timestep = env.step(np.full(4, 0.5))
        return timestep.observation, env.state()


@pytest.mark.render
def test_each_appearance_is_another_picture_of_the_same_course() -> None:
    usual, state = seen()
    shown = {each.value: seen((each.value,)) for each in Appearance}
    for name, (pictures, others) in shown.items():
        np.testing.assert_array_equal(others, state)
        for camera in _CAMERAS:
            same = np.array_equal(pictures[camera], usual[camera])
            assert same == (name == "camera_pose" and camera == "wrist"), (name, camera)
    for (one, _), (other, _) in itertools.combinations(shown.values(), 2):
        assert (one["front"] != other["front"]).any()


@pytest.mark.render
@pytest.mark.parametrize("task", ["reach", "lift_distracted", "stack_banana", "insertion"])
def test_all_of_them_go_together_with_any_task(task: str) -> None:
    usual, state = seen(task=task)
    pictures, others = seen(tuple(Appearance), task)
    np.testing.assert_array_equal(others, state)
    for camera in _CAMERAS:
        assert (pictures[camera] != usual[camera]).mean() > 0.5


@pytest.mark.render
def test_light_is_dimmer_and_the_table_greener() -> None:
    usual, dim, green = (seen(each)[0]["front"].astype(float) for each in ((), ("light",), ("table_colour",)))
    assert 0.45 < dim.mean() / usual.mean() < 0.75
    assert (green[..., 1] - green[..., 0]).mean() > (usual[..., 1] - usual[..., 0]).mean() + 20


def test_settings_are_kept_and_older_ones_have_no_appearance() -> None:
    settings = EnvSettings(appearance=("arm_colour", "light"))
    assert EnvSettings.from_dict(settings.to_dict()) == settings
    older = {key: value for key, value in EnvSettings().to_dict().items() if key != "appearance"}
    assert EnvSettings.from_dict(older) == EnvSettings()
    with pytest.raises(UserError, match=r"appearance is .3.: expected names"):
        EnvSettings.from_dict({**older, "appearance": [3]})
