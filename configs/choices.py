"""What settings choose among, by the names that are given to them on the command line."""

from enum import Enum


class ActionSpaceName(Enum):
    """What an action means; see `trailkit.envs.settings.ActionSpace`."""

    cartesian = "cartesian"
    joint = "joint"


class EnvKind(Enum):
    """Whose environment it is; see `trailkit.envs.settings.Origin`."""

    trailkit = "trailkit"
    gymnasium = "gymnasium"
    gymnasium_robotics = "gymnasium_robotics"
    dm_control = "dm_control"
    metaworld = "metaworld"


class EncoderKind(Enum):
    """Which convolutions see the pixels."""

    compact = "compact"
    nature = "nature"
    residual = "residual"


class LearnerKind(Enum):
    """Who learns, and from which batches."""

    adversarial = "adversarial"  # a discriminator's reward, on agent and expert transitions
    d4pg = "d4pg"  # the environment's reward, on agent and expert transitions
    oracle = "oracle"  # 1 on the expert's transitions, 0 on the agent's
    ddpgfd = "ddpgfd"  # the environment's reward, on transitions of both that are sampled by priority
    bc = "bc"  # the expert's actions


class Constraint(Enum):
    """Where TRAIL's constraining sets come from."""

    none = "none"
    early = "early"  # the first frames of every episode
    random = "random"  # a random policy in the expert's and in the agent's environment


class Features(Enum):
    """What the discriminator's head judges."""

    own = "own"  # an encoder's output that is trained with it
    random = "random"  # that of an encoder as it was initialised
    critic = "critic"  # that of the encoder that the agent's critic trains


class EarlyStop(Enum):
    """By what an actor gives an episode up."""

    never = "never"
    adaptive = "adaptive"  # the discriminator's score is above the episode's median
    fixed = "fixed"  # its number of steps
    ground_truth = "ground_truth"  # the environment's reward is above the episode's median


class RewardForm(Enum):
    """The reward as a function of the discriminator D."""

    gail = "gail"  # -log(1 - D), the paper's
    airl = "airl"  # log D - log(1 - D)
    log = "log"  # log D


class ReplayBackend(Enum):
    """Where the agent's experience is kept."""

    auto = "auto"  # Reverb where it is installed, else memory
    reverb = "reverb"
    memory = "memory"


class LaunchKind(Enum):
    """How a training is run."""

    inline = "inline"  # actor and learner take turns in one process
    ray = "ray"  # processes, on this machine or on many


class Suite(Enum):
    """Which environments a policy is tried in."""

    shifts = "shifts"  # the run's own, and others that look otherwise or have distractors


class RenderQuality(Enum):
    """How pictures are drawn."""

    full = "full"  # shadows, reflections and smooth edges, for people
    fast = "fast"  # as an agent sees


class Device(Enum):
    """Who commands the robot while demonstrations are recorded, and with what."""

    browser = "browser"  # a person, through a page that this command serves
    keyboard = "keyboard"  # a person, through a window
    gamepad = "gamepad"
    spacemouse = "spacemouse"
    scripted = "scripted"
    random = "random"
