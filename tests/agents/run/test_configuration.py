import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure, describe, load_config, sweep
from trailkit.configs.choices import Constraint, EarlyStop, EncoderKind, Features, LearnerKind, RewardForm
from trailkit.configs.explained import explained
from trailkit.configs.schema import EvaluateConfig, RecordConfig, RenderConfig, TrainConfig, WatchConfig
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings


def train(*words: str) -> TrainConfig:
    return configure("train", TrainConfig, ["demos=somewhere", *words])


def test_methods_are_compositions_of_the_same_keys() -> None:
    never, adaptive = EarlyStop.never, EarlyStop.adaptive
    own, random, critic = Features.own, Features.random, Features.critic
    for name, stop, features, constraint in (
        ("gail", never, own, Constraint.none),
        ("gail_aes", adaptive, own, Constraint.none),
        ("gail_random", never, random, Constraint.none),
        ("gail_critic", never, critic, Constraint.none),
        ("gail_aes_random", adaptive, random, Constraint.none),
        ("trail", adaptive, own, Constraint.early),
        ("trail_random", adaptive, own, Constraint.random),
        ("dac", never, own, Constraint.none),
    ):
        config = train(f"method={name}", "random_demos=elsewhere")
        chosen = config.discriminator
        assert (config.method, config.learner) == (name, LearnerKind.adversarial)
        assert (config.actor.early_stop, chosen.features, chosen.constraint) == (stop, features, constraint)
        expected = (10.0, RewardForm.airl) if name == "dac" else (0.0, RewardForm.gail)
        assert (chosen.gradient_penalty, chosen.reward) == expected
    for name, learner in (
        ("bc", LearnerKind.bc),
        ("d4pgfd", LearnerKind.d4pg),
        ("dpgfd", LearnerKind.d4pg),
        ("oracle", LearnerKind.oracle),
        ("ddpgfd", LearnerKind.ddpgfd),
    ):
        config = train(f"method={name}")
        assert (config.method, config.learner, config.actor.early_stop) == (name, learner, never)


def test_regularisers_are_off_unless_asked_for() -> None:
    chosen = train("method=trail").discriminator
    assert (chosen.spectral_norm, chosen.dropout, chosen.label_smoothing, chosen.positive_prior) == (False, 0, 0, None)


def test_the_paper_s_preset_has_its_table_3() -> None:
    config = train("preset=paper")
    agent = config.agent
    assert config.encoder.kind is EncoderKind.residual
    assert (agent.v_min, agent.v_max, agent.atoms, agent.n_step, agent.gamma) == (-50, 150, 21, 1, 0.99)
    assert (agent.learning_rate, config.discriminator.learning_rate, agent.batch_size) == (1e-4, 1e-4, 256)
    assert (agent.target_period, agent.target_tau) == (100, 1.0)
    assert (config.discriminator.crop, config.env.early_steps, config.actor.patience) == (0.75, 10, 10)
    assert (config.discriminator.flip_labels, config.discriminator.max_reward, config.actor.min_steps) == (
        False,
        None,
        0,
    )


def test_the_cpu_s_preset_bounds_the_paper_s_constraint() -> None:
    chosen = train("preset=cpu").discriminator
    assert (chosen.flip_labels, chosen.constraint_ceiling) == (False, 32)
    assert train("preset=paper").discriminator.constraint_ceiling is None
    with pytest.raises(UserError, match=r"flip_labels=true needs discriminator\.constraint_ceiling=null"):
        train("preset=cpu", "discriminator.flip_labels=true")


def test_the_gpu_s_preset_is_the_cpu_s_in_larger_batches() -> None:
    here, there = train("preset=cpu"), train("preset=gpu")
    assert there.agent.batch_size == 128
    there.agent.batch_size, there.preset = here.agent.batch_size, here.preset
    assert there == here


def test_early_stopping_waits_for_as_long_as_the_task_takes() -> None:
    assert train("env=reach").actor.min_steps == 40
    assert train("env=lift").actor.min_steps == 70
    assert train("env=lift", "actor.min_steps=5").actor.min_steps == 5
    assert train("env=lift", "env.episode_steps=60").actor.min_steps == 30
    assert train("preset=paper").actor.min_steps == 0


def test_a_seeded_task_is_another_training_on_the_same_task() -> None:
    plain, seeded = train("env=lift_distracted"), train("env=lift_distracted_seeded")
    assert env_settings(seeded.env) == env_settings(plain.env)
    assert (plain.env.seeded, seeded.env.seeded) == (False, True)


def test_keys_given_by_hand_win_over_method_and_preset() -> None:
    assert train("preset=paper", "encoder=compact").encoder.kind is EncoderKind.compact
    config = train("preset=paper", "method=trail", "agent.batch_size=8", "env.early_steps=3")
    assert (config.agent.batch_size, config.env.early_steps) == (8, 3)


def test_the_environment_becomes_a_value() -> None:
    config = train("env=reach", "env.cameras=[front,wrist]", "env.height=48", "env.action_space=joint")
    observation = ObservationSettings(("front", "wrist"), height=48, width=64)
    assert env_settings(config.env) == EnvSettings("reach", ActionSpace.JOINT, observation)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("action_repeat", "env.action_repeat=4"),
        ("sparse_reward", "env.sparse_reward=true"),
        ("success", "env.success=terminated"),
        ("kwargs", "env.kwargs.x=1"),
    ],
)
def test_what_only_others_environments_have_is_refused_of_a_task_of_trailkit_s(name: str, word: str) -> None:
    with pytest.raises(UserError, match=f"env.{name} is for environments of elsewhere"):
        train("env=lift", word)


def test_a_run_s_folder_is_named_after_what_it_does() -> None:
    assert train("env=reach", "method=gail", "seed=3").out == "runs/reach_gail_seed3"
    assert configure("record", RecordConfig, ["env=reach"]).out == "demos_reach"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("method=trial", "unknown method 'trial': did you mean 'trail'?"),
        ("env=lfit", "unknown env 'lfit': did you mean 'lift'"),
        ("agent.bach_size=3", "unknown key 'agent.bach_size': did you mean 'agent.batch_size'"),
        ("demo=x", "unknown key 'demo': did you mean 'demos'"),
        ("seed=one", "'one' of type 'str' could not be converted to Integer in seed"),
        ("discriminator.constraint=erly", r"Invalid value 'erly', expected one of \[none, early, random\]"),
        ("steps", "'steps' is not of the form key=value"),
        ("seed=1,2", "put -m before"),
        ("discriminator.constraint=random", "needs random_demos=DIR"),
        ("seed=-1", "seed=-1: it must be at least 0"),
        ("actor.noise_correlation=1", "actor.noise_correlation=1.0: it must be in"),
        ("actor.early_stop=true", r"Invalid value 'True', expected one of \[never, adaptive, fixed, ground_truth\]"),
        ("actor.fixed_steps=0", "actor.fixed_steps=0: it must be at least 1"),
        ("discriminator.dropout=1", r"discriminator.dropout=1.0: it must be in \[0, 1\)"),
        ("discriminator.label_smoothing=-0.1", r"discriminator.label_smoothing=-0.1: it must be in \[0, 1\)"),
        ("discriminator.positive_prior=0", r"discriminator.positive_prior=0.0: it must be in \(0, 1\)"),
        ("replay.priority_exponent=2", r"replay.priority_exponent=2.0: it must be in \[0, 1\]"),
        ("replay.demo_bonus=-1", "replay.demo_bonus=-1.0: it must be at least 0"),
        ("agent.weight_decay=-1", "agent.weight_decay=-1.0: it must be at least 0"),
        ("evaluation.every=0", "evaluation.every=0: it must be at least 1"),
        ("actor.exploration=[]", "the number of actor.exploration=0"),
        ("actor.exploration=[-0.3]", "the least of actor.exploration=-0.3: it must be at least 0"),
        ("actor.min_steps=200", "actor.min_steps=200 and env.episode_steps=200: early stopping could stop no episode"),
        ("env.trial_steps=210", "actor.min_steps=210 and env.episode_steps=200: early stopping could stop no episode"),
        ("actor.patience=300", "actor.patience=300 and env.episode_steps=200: early stopping could stop no episode"),
        ("agent.target_period=0", "agent.target_period=0: it must be at least 1"),
        ("agent.v_min=75", r"agent.v_min=75.0 and agent.v_max=75.0: the first must be the smaller one"),
        ("agent.gamma=1", r"agent.gamma=1.0: it must be in \[0, 1\)"),
        ("agent.average_tau=0", r"agent.average_tau=0.0: it must be in \(0, 1\]"),
        ("agent.learning_rate=-1", "agent.learning_rate=-1.0: it must be more than 0"),
        ("agent.max_dqda_norm=0", "agent.max_dqda_norm=0.0: it must be more than 0"),
        ("agent.random_shift=-1", "agent.random_shift=-1: it must be at least 0"),
        ("discriminator.learning_rate=0", "discriminator.learning_rate=0.0: it must be more than 0"),
        ("discriminator.crop=56", r"discriminator.crop=56.0: it must be in \(0, 1\], a part of each side"),
        ("discriminator.constraint_ceiling=1", "discriminator.constraint_ceiling=1.0: it must be more than 1.38629"),
        ("env.early_steps=200", "env.early_steps=200: discriminator.constraint=early needs the first steps of an ep"),
        ("env.early_steps=0", "env.early_steps=0: it must be at least 1"),
        ("keep_checkpoints=0", "keep_checkpoints=0: it must be at least 1"),
        ("env.cameras=front", r"^env.cameras is a list: give env.cameras=\[…\]$"),
        ("encoder.embedding=0", "encoder.embedding=0: it must be at least 1"),
        ("env.trial_steps=-5", "env.trial_steps=-5: it must be at least 0"),
        ("actor.min_steps=-5", "actor.min_steps=-5: it must be at least 0"),
        ("replay.capacity=199", "replay.capacity=199: it must hold an episode, which has up to env.episode_steps=200"),
        ("evaluation.seed=-1", "evaluation.seed=-1: it must be at least 0"),
        ("device=gpu", "device=gpu: choose auto, cpu or cuda, or one of several GPUs, such as cuda:1"),
        ("device=cuda:", "device=cuda:: choose auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_named_in_one_line_with_what_is_nearest(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        train(word)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["discriminator.positive_prior=0.3", "discriminator.label_smoothing=0.1"], "two losses: give one of them"),
        (["method=oracle", "actor.early_stop=adaptive"], "needs a discriminator, which method=oracle has not"),
        (["encoder.bfloat16=true", "discriminator.spectral_norm=true"], "do not work together: choose one"),
        (["method=gail_critic", "agent.frame_stack=3"], "features=critic do not work together: the discriminator sees"),
        (["method=trail", "agent.frame_stack=0"], "agent.frame_stack=0: it must be at least 1"),
        (["method=oracle", "demos_in_replay=false"], "demos_in_replay=false leaves none"),
        (["method=ddpgfd", "demos_in_replay=false"], "demos_in_replay=false leaves none"),
        (["method=ddpgfd", "launch=ray"], "method=ddpgfd needs launch=inline: no other sets priorities"),
        (["method=ddpgfd", "actor.early_stop=adaptive"], "needs a discriminator, which method=ddpgfd has not"),
        (["method=d4pgfd", "discriminator.constraint=early"], "needs a discriminator, which method=d4pgfd has not"),
        (["method=trail", "demos_in_replay=false", "agent.bc_weight=1"], "of which demos_in_replay=false leaves none"),
        (["method=d4pgfd", "agent.one_step_weight=1"], "method=d4pgfd has no one-step loss"),
        (["launch.actors=8"], "launch.actors is of launch=ray: give that too, or leave it out"),
        (["method=bc", "agent.bc_weight=1"], "agent.bc_weight has no effect with method=bc"),
        (["method=gail", "discriminator.flip_labels=true"], "is of a constraint, and discriminator.constraint is none"),
        (["method=bc", "agent.weight_decay=1"], "agent.weight_decay has no effect with method=bc"),
        (
            ["discriminator.constraint=random", "random_demos=x", "actor.random_steps=0"],
            "needs actor.random_steps=1 or more",
        ),
        (["actor.early_stop=fixed", "actor.fixed_steps=200"], "early stopping could stop no episode; choose fewer"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        train(*words)


def test_a_reward_that_means_success_needs_the_shells_quotes_alone() -> None:
    words = ["env=gymnasium", "env.id=Pusher-v5", "env.success=reward>=-0.5", "demos=d", "method=bc"]
    quoted = ["env.success='reward>=-0.5'" if "success" in word else word for word in words]
    for given in (words, quoted, *sweep(words)):
        assert configure("train", TrainConfig, given).env.success == "reward>=-0.5"


@pytest.mark.parametrize(
    "path",
    ["2024_11_28", "1e3", "true", "demos(1)", "/tmp/a=b", "läuf", "a b", "x&y;z", "it's", "runs/${method}", "a'b'"],
)
def test_a_path_is_taken_as_it_is(path: str) -> None:
    config = configure("train", TrainConfig, [f"demos={path}", f"out={path}", "method=bc"])
    assert config.demos == config.out == path.replace("${method}", "bc")
    assert list(sweep([f"out={path}", "seed=1,2"]))[1][-1] == "seed=2"


def test_a_home_is_known_and_paths_can_be_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    (one, other) = (configure("train", TrainConfig, words).demos for words in sweep(["demos=~/1e3,läuf", "method=bc"]))
    assert (one, other) == ("/home/ann/1e3", "läuf")


def test_a_sweep_is_the_product_of_its_values() -> None:
    assert list(sweep(["method=trail,gail", "env=lift", "seed=1,2"])) == [
        ["method=trail", "env=lift", "seed=1"],
        ["method=trail", "env=lift", "seed=2"],
        ["method=gail", "env=lift", "seed=1"],
        ["method=gail", "env=lift", "seed=2"],
    ]


@pytest.mark.parametrize("word", ["method=glob(*)", "agent.gamma=interval(0.9,0.99)"])
def test_a_sweep_that_lists_no_values_is_refused(word: str) -> None:
    with pytest.raises(UserError, match="does not list its values, as in"):
        list(sweep([word]))


def test_settings_of_earlier_versions_are_understood(tmp_path: Path) -> None:
    saved = OmegaConf.structured(train("method=gail", "env.height=72"))
    OmegaConf.save(saved, tmp_path / "config.yaml")
    earlier = (tmp_path / "config.yaml").read_text().replace("crop: 0.75", "crop: 63")
    (tmp_path / "config.yaml").write_text(earlier.replace("early_stop: never", "early_stop: true"))
    config = load_config(tmp_path)
    assert (config.discriminator.crop, config.actor.early_stop) == (0.875, EarlyStop.adaptive)
    words = (tmp_path / "config.yaml").read_text().replace("height: 72", "height: 48")
    (tmp_path / "config.yaml").write_text(words.replace("trial_steps: null", "trial_steps: 70"))
    config = load_config(tmp_path)
    assert (config.discriminator.crop, config.env.trial_steps) == (1.0, None)


def test_what_was_trained_is_read_whatever_is_refused_today(tmp_path: Path) -> None:
    saved = OmegaConf.structured(train("method=trail", "env.episode_steps=100"))
    saved.actor.min_steps = 100
    OmegaConf.save(saved, tmp_path / "config.yaml")
    assert load_config(tmp_path).actor.min_steps == 100


def test_help_lists_choices_and_keys() -> None:
    text = describe("train", TrainConfig)
    assert (
        "method=bc|d4pgfd|dac|ddpgfd|dpgfd|gail|gail_aes|gail_aes_random|gail_critic|gail_random|oracle|trail|trail_random"
        in text
    )
    assert re.search(
        r"^  env.early_steps=10 +first steps, in which nothing of the task is done yet", text, re.MULTILINE
    )
    assert re.search(r"^  env.cameras=\[front\] +that policy and discriminator see$", text, re.MULTILINE)
    assert re.search(
        r"^  actor.early_stop=adaptive +when training episodes are given up \(never, adaptive, fixed, ground_truth\)$",
        text,
        re.MULTILINE,
    )
    for schema in (TrainConfig, RecordConfig, EvaluateConfig, RenderConfig, WatchConfig):
        assert [key for key, meaning in explained(schema) if not meaning] == []
    assert re.search(r"^  run= +folder of the run$", describe("evaluate", EvaluateConfig), re.MULTILINE)
