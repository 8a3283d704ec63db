import json

import pytest

from trailkit.demos.manifest import Manifest, current_versions
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings

SETTINGS = EnvSettings(
    "lift_distracted", ActionSpace.JOINT, ObservationSettings(("wrist", "front"), 48, 32, False), episode_steps=60
)


def changed(**changes):
    return {**SETTINGS.to_dict(), **changes}


def changed_observation(**changes):
    return changed(observation={**SETTINGS.to_dict()["observation"], **changes})


def test_a_manifest_comes_back_as_it_was(tmp_path):
    manifest = Manifest.new(SETTINGS, {"device": "scripted", "noise": 0.2})
    manifest.save(tmp_path)
    assert Manifest.load(tmp_path) == manifest


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path):
    manifest = Manifest.new(SETTINGS, {"device": "scripted"})
    manifest.save(tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        Manifest.new(SETTINGS, {"device": object()}).save(tmp_path)
    assert Manifest.load(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_manifest_of_an_earlier_version_has_no_checksum_and_is_read(tmp_path):
    manifest = Manifest.new(SETTINGS, {"device": "scripted"})
    manifest.save(tmp_path)
    values = json.loads((tmp_path / "manifest.json").read_text())
    assert len(values.pop("sha256")) == 64
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    assert Manifest.load(tmp_path) == manifest


@pytest.mark.parametrize(
    ("told", "control", "versions"),
    [
        ({"control_timestep": 0.1, "versions": {"mujoco": "3"}}, 0.1, {"mujoco": "3"}),
        ({"control_timestep": "fast", "versions": "new"}, 0.05, current_versions()),
        ({}, 0.05, current_versions()),
    ],
)
def test_a_manifest_is_recovered_from_what_an_episode_tells(told, control, versions):
    metadata = {"device": "browser", "recording_seed": 0, "index": 4, "end": "truncation", **told}
    manifest = Manifest.recovered(SETTINGS, [], metadata, created=0.0)
    assert (manifest.control_timestep, manifest.versions) == (control, versions)
    assert manifest.source == {"device": "browser"}
    assert manifest.created == "1970-01-01T00:00:00+00:00"


def test_settings_come_back_from_json_as_they_were():
    assert EnvSettings.from_dict(json.loads(json.dumps(SETTINGS.to_dict()))) == SETTINGS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"environment settings are \[\]: expected a mapping"),
        (changed(taks="lift"), "unknown key in the environment settings 'taks': did you mean 'task'"),
        ({"task": "lift"}, "environment settings lack the key 'action_space'"),
        (changed(episode_steps="60"), "episode_steps in the environment settings is '60': expected int"),
        (changed(episode_steps=True), "episode_steps in the environment settings is True: expected int"),
        (changed(action_space="jiont"), "unknown action space 'jiont': did you mean 'joint'"),
        (changed(observation=None), "observation in the environment settings is None: expected dict"),
        (changed_observation(hieght=3), "unknown key in the observation settings 'hieght': did you mean 'height'"),
        (changed_observation(cameras=["frnot"]), "unknown camera 'frnot': did you mean 'front'"),
        (changed_observation(cameras=[1]), r"cameras are \[1\]: expected names"),
        (changed_observation(height=4), "image size 4x32"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        EnvSettings.from_dict(values)
