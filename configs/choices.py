"""The choices of settings, by their names on the command line."""

from enum import Enum


class ActionSpaceName(Enum):
    """What an action means; see `trailkit.envs.settings.ActionSpace`."""

    cartesian = "cartesian"
    joint = "joint"


class EnvKind(Enum):
    """The origin of the environment; see `trailkit.envs.settings.Origin`."""

    trailkit = "trailkit"
    gymnasium = "gymnasium"
    gymnasium_robotics = "gymnasium_robotics"
    dm_control = "dm_control"
    metaworld = "metaworld"


class EncoderKind(Enum):
    """The convolutions that process the pixels."""

    compact = "compact"
    nature = "nature"
    residual = "residual"


class LearnerKind(Enum):
    """The learner and the batches from which it learns."""

    adversarial = "adversarial"  # a discriminator's reward, on agent and expert transitions
    d4pg = "d4pg"  # the environment's reward, on agent and expert transitions
    oracle = "oracle"  # 1 on the expert's transitions, 0 on the agent's
    ddpgfd = "ddpgfd"  # the environment's reward, on transitions of both, sampled by priority
    bc = "bc"  # the expert's actions


class Constraint(Enum):
    """Where TRAIL's constraining sets come from."""

    none = "none"
    early = "early"  # the first frames of every episode
    random = "random"  # a random policy in the expert's and in the agent's environment


class Features(Enum):
    """The features that the discriminator's head judges."""

    own = "own"  # the output of an encoder that is trained with it
    random = "random"  # the output of an encoder with its initial weights
    critic = "critic"  # the output of the encoder that the agent's critic trains


class EarlyStop(Enum):
    """The rule by which an actor ends an episode early."""

    never = "never"
    adaptive = "adaptive"  # the discriminator's score has been above the episode's median for some time
    fixed = "fixed"  # after a fixed number of steps
    ground_truth = "ground_truth"  # the environment's reward has been above the episode's median for some time


class RewardForm(Enum):
    """The reward as a function of the discriminator's output D."""

    gail = "gail"  # -log(1 - D), as in the paper
    airl = "airl"  # log D - log(1 - D)
    log = "log"  # log D


class ReplayBackend(Enum):
    """Where the agent's experience is stored."""

    auto = "auto"  # Reverb if it is installed, otherwise memory
    reverb = "reverb"
    memory = "memory"


class LaunchKind(Enum):
    """How a training is run."""

    inline = "inline"  # actor and learner alternate in one process
    ray = "ray"  # several processes, on this machine or many


class Suite(Enum):
    """The environments in which a policy is tested."""

    shifts = "shifts"  # the run's own, and others that look different or have distractors


class RenderQuality(Enum):
    """How images are rendered."""

    full = "full"  # shadows, reflections and smooth edges, for people
    fast = "fast"  # as the agent sees them


class Device(Enum):
    """Who commands the robot while demonstrations are recorded, and with which device."""

    browser = "browser"  # a person, on a page that this command serves
    keyboard = "keyboard"  # a person, in a window
    gamepad = "gamepad"
    spacemouse = "spacemouse"
    scripted = "scripted"
    random = "random"
