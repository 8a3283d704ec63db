"""Stacks and losses of users, in the place of trailkit's own in every network, or refused in one line."""

from pathlib import Path

import pytest
import torch
from own_parts import Stack, hinge

from trailkit.agents.run.build import make_agent
from trailkit.agents.run.build_networks import make_encoder
from trailkit.agents.run.build_reward import make_loss
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.train import start
from trailkit.agents.run.user_parts import check_own_loss, check_own_stack
from trailkit.configs.choices import Constraint
from trailkit.configs.schema import DiscriminatorConfig, EncoderConfig, TrainConfig
from trailkit.discriminators.losses import with_accuracy_constraint, with_gradient_penalty
from trailkit.discriminators.testing import made_up_judgement
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings

SHAPES = [(32, 32, 3), (48, 40, 3)]
ENV = EnvSettings("reach", observation=ObservationSettings(height=36, width=36))


def test_a_stack_sees_for_policy_and_discriminator_alike() -> None:
    words = ["method=trail", "encoder.stack=own_parts:Stack", "demos=somewhere"]
    agent = make_agent(configure("train", TrainConfig, [*words, "env=reach", "env.height=36", "env.width=36"]), ENV)
    parameters = agent.learner.parameters()
    own = Stack().state_dict()
    for group in ("policy", "discriminator"):
        found = {name.partition("stacks.front.")[2]: weight for name, weight in parameters[group].items()}
        assert {name: found[name].shape for name in own} == {name: weight.shape for name, weight in own.items()}
    agent.evaluator.load(parameters)
    agent.stop.load(parameters)


def test_weights_are_drawn_as_if_the_stack_had_not_been_tried() -> None:
    torch.manual_seed(3)
    tried = make_encoder(EncoderConfig(stack="own_parts:Stack"), {"front": (32, 32)})
    torch.manual_seed(3)
    weights = Stack().state_dict()
    for name, weight in tried.stacks["front"].state_dict().items():
        assert torch.equal(weight, weights[name])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Flat", r"\[3, \d+\] is not \[3, C, h, w\]"),
        ("ChannelsFirst", r"fails on images \[32, 32, 3\]: RuntimeError: "),
        ("BytesAlone", r"fails on images \[32, 32, 3\]: "),
        ("WithBatchNorm", "what an image gives depends on the others"),
        ("function", "it makes a int: a torch.nn.Module is expected"),
        ("Stac", "unknown name in own_parts 'Stac': did you mean 'Stack'"),
    ],
)
def test_a_stack_that_will_not_do_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"encoder.stack=own_parts:{name}:? {message}") as error:
        check_own_stack(f"own_parts:{name}", SHAPES)
    assert "\n" not in str(error.value)


def test_pictures_that_are_too_small_for_a_stack_are_named() -> None:
    with pytest.raises(UserError, match=r"fails on images \[4, 4, 3\]"):
        check_own_stack("own_parts:Stack", [(4, 4, 3)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unreduced", r"it has the shape \[6\]: a tensor without axes is expected"),
        ("number", "it gives a float: a tensor without axes is expected"),
        ("detached", "it has no gradient"),
        ("upside_down", "minimising it does not raise the expert's logits"),
        ("mistaken", "fails: AttributeError: 'Judgement' object has no attribute 'logits'"),
        ("higne", "unknown name in own_parts 'higne': did you mean 'hinge'"),
    ],
)
def test_a_loss_that_will_not_do_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=f"discriminator.loss=own_parts:{name}:? {message}") as error:
        check_own_loss(f"own_parts:{name}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("encoder.stack=own_parts:WithBatchNorm", "what an image gives depends on the others"),
        ("discriminator.loss=own_parts:upside_down", "minimising it does not raise the expert's logits"),
    ],
)
def test_no_run_begins_with_parts_that_will_not_do(tmp_path: Path, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        start(["method=trail", "env=reach", word, f"demos={tmp_path / 'none'}", f"out={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


def test_constraint_and_penalty_are_put_around_a_loss() -> None:
    chosen = DiscriminatorConfig(loss="own_parts:hinge", constraint=Constraint.early, gradient_penalty=10.0)
    expected = with_gradient_penalty(with_accuracy_constraint(hinge), 10.0)(made_up_judgement())
    assert make_loss(chosen)(made_up_judgement()) == expected
    assert make_loss(DiscriminatorConfig(loss="own_parts:hinge"))(made_up_judgement()) == hinge(made_up_judgement())


@pytest.mark.parametrize("other", ["positive_prior=0.3", "label_smoothing=0.1"])
def test_two_losses_are_refused(other: str) -> None:
    words = ["method=gail", "demos=somewhere", "discriminator.loss=own_parts:hinge", f"discriminator.{other}"]
    with pytest.raises(UserError, match="takes the place of positive_prior and label_smoothing"):
        configure("train", TrainConfig, words)
