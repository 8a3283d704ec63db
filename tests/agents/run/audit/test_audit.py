"""An audit from demonstrations on disk to advice on the screen."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cheating import CASES, paint_arm, record_case
from demonstrations import SETTINGS, SOURCE, make_episode
from PIL import Image

from trailkit.agents.run.audit.audit import audit, ticks
from trailkit.agents.run.audit.command import to_json
from trailkit.agents.run.demos_command import demos
from trailkit.configs.choices import Constraint
from trailkit.demos.store import DemoStore
from trailkit.discriminators.probe import ProbeSettings
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings

REACH = EnvSettings("reach", observation=ObservationSettings(height=32, width=32), episode_steps=30)
BRIEFLY = ProbeSettings(steps=40, batch=16)
EPISODES = 15


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return record_case(CASES["reach, clean"], tmp_path_factory.mktemp("clean") / "demos", EPISODES, 0, REACH)


@pytest.fixture(scope="module")
def orange(tmp_path_factory):
    case = CASES["reach, clean"]._replace(change=paint_arm)
    return record_case(case, tmp_path_factory.mktemp("orange") / "demos", EPISODES, 0, REACH)


def audited(store, settings=REACH):
    passed = []
    found = audit(store, settings, early_steps=3, seed=1, tick=lambda: passed.append(1), training=BRIEFLY)
    assert len(passed) == ticks(store)
    return found


def without_states(store, path):
    bare = DemoStore.create(path, store.settings, store.source)
    for episode in store.episodes():
        bare.append(episode._replace(state=None))
    return bare


def noise(path, settings, episodes=10):
    store = DemoStore.create(path, settings, SOURCE)
    for seed in range(episodes):
        store.append(make_episode(seed, settings=settings))
    return store


@pytest.mark.render
@pytest.mark.slow
def test_a_clean_set_has_no_cue_and_gail_would_do_and_twice_gives_the_same(clean):
    first, again = audited(clean), audited(clean)
    assert (first.verdict.found, first.verdict.constraint) == ([], Constraint.none)
    assert json.dumps(to_json(first, REACH, 1)) == json.dumps(to_json(again, REACH, 1))
    assert first.notes == []


@pytest.mark.render
@pytest.mark.slow
def test_an_arm_of_another_colour_is_named(orange):
    found = audited(orange)
    assert found.verdict.found == ["colour", "arm appearance"]
    assert found.verdict.constraint is Constraint.early
    assert found.early.start.mean > 0.9
    assert len(found.sheets["front"]) == 7


@pytest.mark.render
@pytest.mark.slow
def test_without_states_a_clean_set_is_clean_and_an_arm_of_another_colour_is_named(clean, orange, tmp_path):
    assert audited(without_states(clean, tmp_path / "clean")).verdict.found == []
    found = audited(without_states(orange, tmp_path / "orange"))
    assert "arm appearance" in found.verdict.found
    assert "no simulator states" in found.notes[0]
    assert found.movement == []
    assert len(found.sheets["front"]) == 4


@pytest.mark.render
@pytest.mark.slow
def test_the_command_prints_the_verdict_and_writes_sheets_and_numbers(orange, tmp_path, capsys):
    demos(["audit", str(orange.path), f"out={tmp_path / 'out'}", "threads=1"])
    told = capsys.readouterr().out
    assert "arm appearance" in told and "TRAIL is needed" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"audit.json", "front.png"}
    found = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert found["environment"] == REACH.to_dict()  # the demonstrations' own
    assert found["early_steps"] == 3  # of reach, as in training
    assert found["verdict"]["found"] == ["colour", "arm appearance"]
    with Image.open(tmp_path / "out" / "front.png") as sheet:
        assert np.asarray(sheet).std() > 10


@pytest.mark.render
@pytest.mark.slow
def test_a_file_says_how_the_trainer_sees(clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("task: reach\nappearance: [arm_colour]\n")
    demos(["audit", str(clean.path), "env=mine.yaml", "out=out", "threads=1"])
    found = json.loads(Path("out/audit.json").read_text())
    assert found["environment"]["appearance"] == ["arm_colour"]
    assert "arm appearance" in found["verdict"]["found"]
    assert not any("refuse" in note for note in found["notes"])  # which is what TRAIL is for


@pytest.mark.parametrize("word", ["env.distract=[colours]", "env.seeded=true"])
def test_what_an_audit_cannot_judge_is_refused(tmp_path, word):
    store = noise(tmp_path / "demos", SETTINGS)
    with pytest.raises(UserError, match=r"it takes no env\.distract, nor demonstrations with it, and no env\.seeded"):
        demos(["audit", str(store.path), word])


def test_too_few_demonstrations_are_refused(tmp_path):
    with pytest.raises(UserError, match="holds 3 demonstrations: an audit holds some out and needs at least 10"):
        audited(noise(tmp_path / "demos", SETTINGS, 3), SETTINGS)


def test_pictures_of_another_size_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"show front at 16x20: give env.cameras, env.height and env.width the same"):
        audited(noise(tmp_path / "demos", SETTINGS), REACH)


def test_demonstrations_without_pictures_are_refused(tmp_path):
    blind = replace(SETTINGS, observation=ObservationSettings(cameras=()))
    with pytest.raises(UserError, match="have no pictures"):
        audited(noise(tmp_path / "demos", blind), blind)


def test_a_key_that_does_not_exist_is_refused(tmp_path):
    store = noise(tmp_path / "demos", SETTINGS)
    with pytest.raises(UserError, match=r"unknown key 'env\.hight': did you mean 'env\.height'"):
        demos(["audit", str(store.path), "env.hight=32"])
