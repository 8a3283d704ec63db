import pytest

from trailkit.agents.run.build import env_settings
from trailkit.agents.run.configuration import configure, describe, sweep
from trailkit.configs.schema import Constraint, EncoderKind, LearnerKind, RecordConfig, TrainConfig
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings


def train(*words: str) -> TrainConfig:
    return configure("train", TrainConfig, ["demos=somewhere", *words])


def test_methods_are_compositions_of_the_same_keys() -> None:
    trail, gail, bc, dpgfd = (train(f"method={name}") for name in ("trail", "gail", "bc", "dpgfd"))
    assert (trail.learner, trail.discriminator.constraint, trail.actor.early_stop) == (
        LearnerKind.adversarial,
        Constraint.early,
        True,
    )
    assert (gail.learner, gail.discriminator.constraint, gail.actor.early_stop) == (
        LearnerKind.adversarial,
        Constraint.none,
        False,
    )
    assert (bc.learner, dpgfd.learner) == (LearnerKind.bc, LearnerKind.d4pg)


def test_the_paper_s_preset_has_its_table_3() -> None:
    config = train("preset=paper")
    agent = config.agent
    assert config.encoder.kind is EncoderKind.residual
    assert (agent.v_min, agent.v_max, agent.atoms, agent.n_step, agent.gamma) == (-50, 150, 21, 1, 0.99)
    assert (agent.learning_rate, config.discriminator.learning_rate, agent.batch_size) == (1e-4, 1e-4, 256)
    assert (agent.target_period, agent.target_tau) == (100, 1.0)
    assert (config.discriminator.crop, config.env.early_steps, config.actor.patience) == (48, 10, 10)
    assert (config.discriminator.flip_labels, config.discriminator.max_reward, config.actor.min_steps) == (
        False,
        None,
        0,
    )


def test_early_stopping_waits_for_as_long_as_the_task_takes() -> None:
    assert train("env=reach").actor.min_steps == 40
    assert train("env=lift").actor.min_steps == 70
    assert train("env=lift", "actor.min_steps=5").actor.min_steps == 5


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
        ("evaluation.every=0", "evaluation.every=0: it must be at least 1"),
        ("actor.exploration=[]", "the number of actor.exploration=0"),
        ("device=gpu", "device=gpu: choose auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_named_in_one_line_with_what_is_nearest(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        train(word)
    assert "\n" not in str(error.value)


def test_a_sweep_is_the_product_of_its_values() -> None:
    assert list(sweep(["method=trail,gail", "env=lift", "seed=1,2"])) == [
        ["method=trail", "env=lift", "seed=1"],
        ["method=trail", "env=lift", "seed=2"],
        ["method=gail", "env=lift", "seed=1"],
        ["method=gail", "env=lift", "seed=2"],
    ]


def test_help_lists_choices_and_keys() -> None:
    text = describe("train")
    assert "method=bc|dpgfd|gail|trail" in text
    assert "early_steps: 10" in text
