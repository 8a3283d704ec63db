"""The shape of every configuration: one dataclass a component, checked when a command starts.

The YAML groups beside this file give the values; a key that no dataclass has is refused.
"""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from trailkit.envs.errors import UserError


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


_WITHOUT_DISCRIMINATOR = LearnerKind.d4pg, LearnerKind.oracle, LearnerKind.ddpgfd


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


def _at_least(minimum: float, **values: float | None) -> None:
    """Refuses values below a minimum; two underscores stand for a dot of a key.

    Raises:
        UserError: Naming the key.
    """
    for name, value in values.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be at least {minimum:g}")


def _above(bound: float, **values: float | None) -> None:
    """Refuses values that do not exceed a bound, as `_at_least` does."""
    for name, value in values.items():
        if value is not None and not value > bound:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be more than {bound:g}")


@dataclass
class EnvConfig:
    """The environment; see `trailkit.envs.settings.EnvSettings`."""

    task: str = MISSING
    action_space: ActionSpaceName = ActionSpaceName.cartesian
    cameras: list[str] = field(default_factory=lambda: ["front"])
    height: int = 64
    width: int = 64
    proprioception: bool = True
    episode_steps: int = 200
    appearance: list[str] = field(default_factory=list)  # what looks otherwise: arm_colour, light …
    distract: list[str] = field(default_factory=list)  # what does in each episode: colours, background, camera, objects
    seeded: bool = False  # training's episodes begin with the things as a demonstration's did; evaluation's do not
    early_steps: int = 10  # within which nothing of the task is done yet: TRAIL's constraining frames
    trial_steps: int | None = None  # ample for one try at the task; by default 70, but half of episode_steps at most
    kind: EnvKind = EnvKind.trailkit
    # What follows is for environments that are not trailkit's own.
    id: str = ""  # kind=gymnasium: such as Pusher-v5, or MODULE:ID for one that a module registers
    domain: str = ""  # kind=dm_control: such as reacher, or manipulation
    kwargs: dict[str, Any] = field(default_factory=dict)  # for whoever makes it
    proprio: dict[str, str] = field(default_factory=dict)  # the robot's own parts of its observation: observation[0:4]
    success: str = "info"  # or info.KEY, terminated, never, reward>=NUMBER
    sparse_reward: bool = False  # 1 where the task is solved, else 0, instead of its own reward
    action_repeat: int = 1


@dataclass
class EncoderConfig:
    """The convolutions that agent and discriminator each have a copy of."""

    kind: EncoderKind = EncoderKind.compact
    embedding: int = 64
    stack: str | None = None  # MODULE:NAME of one's own convolutions, in the place of kind's
    bfloat16: bool = False  # in which its convolutions compute on a GPU; its weights stay float32


@dataclass
class AgentConfig:
    """D4PG, and of it what BC uses too."""

    learning_rate: float = 1e-4
    batch_size: int = 32  # of the agent's transitions; as many of the expert's join them
    gamma: float = 0.99
    n_step: int = 3
    frame_stack: int = 1  # pictures on end that the policy and the critic see at once; the discriminator sees one
    v_min: float = -50.0
    v_max: float = 150.0
    atoms: int = 21
    target_period: int = 1  # learner steps between target updates
    target_tau: float = 0.01  # 1 copies the networks outright
    average_tau: float = 0.01  # of the averaged policy that acts and is evaluated; 1 for none
    max_grad_norm: float = 40.0
    max_dqda_norm: float = 1.0
    random_shift: int = 3  # pixels
    bc_weight: float = 0.0  # of the expert's actions in the policy's loss
    one_step_weight: float = 0.0  # learner=ddpgfd: of the one-step loss beside the n-step one
    weight_decay: float = 0.0  # L2


@dataclass
class DiscriminatorConfig:
    """The discriminator and the reward that it gives."""

    learning_rate: float = 1e-4
    crop: float = 0.875  # of each side of a picture, that is seen: 56 of 64 pixels
    features: Features = Features.own
    loss: str | None = None  # MODULE:NAME of one's own, on the training frames, in the place of the cross entropy
    constraint: Constraint = Constraint.none
    flip_labels: bool = False
    constraint_ceiling: float | None = None  # nats of wrongness beyond which the constraint asks for no more
    gradient_penalty: float = 0.0
    spectral_norm: bool = False
    dropout: float = 0.0  # of the embedding's entries
    label_smoothing: float = 0.0  # how far the expert's label is below 1
    positive_prior: float | None = None  # the share of the agent's frames that are as good as the expert's: PU learning
    reward: RewardForm = RewardForm.gail
    max_reward: float | None = None
    augment: bool = True  # else it trains on the centres of the frames as they are


@dataclass
class ActorConfig:
    """How the agent explores, and when it gives an episode up."""

    exploration: list[float] = field(default_factory=lambda: [0.15, 0.3])  # one is drawn for each episode
    noise_correlation: float = 0.0  # of the exploration noise from step to step, below 1
    early_stop: EarlyStop = EarlyStop.never
    patience: int = 10  # steps on end above the median
    min_steps: int | None = 0  # adaptive: no episode is given up before; null is env.trial_steps
    fixed_steps: int = 50  # fixed: every episode is given up after
    random_steps: int = 2000  # of a uniformly random policy, before learning begins


@dataclass
class ReplayConfig:
    """The agent's experience."""

    backend: ReplayBackend = ReplayBackend.auto
    capacity: int = 1_000_000  # transitions
    samples_per_insert: float = 8.0  # agent transitions learned from for each one that is played
    priority_exponent: float = 0.3  # learner=ddpgfd: transitions are sampled by their priorities to this power
    importance_exponent: float = 1.0  # learner=ddpgfd: how far their losses make up for that
    demo_bonus: float = 1.0  # learner=ddpgfd: of the expert's transitions, in their priorities


@dataclass
class EvaluationConfig:
    """Evaluations during training."""

    every: int = 2000  # learner steps
    episodes: int = 20
    seed: int = 1_000_000  # evaluation episodes start alike in every run


@dataclass
class LaunchConfig:
    """Where a training's processes run: all in one, or as actors of Ray."""

    kind: LaunchKind = LaunchKind.inline
    address: str | None = None  # of a Ray cluster, "auto" for the one of this machine; by default Ray is started
    actors: int = 2  # processes that play
    actor_cpus: float = 1.0  # that each takes of a machine
    learner_cpus: float = 1.0
    learner_gpus: float = 0.0
    evaluators: int = 1
    replay_port: int | None = None  # of the Reverb server; by default a free one
    publish_every: int = 25  # learner steps between the weights that actors get
    step_timeout: float = 60.0  # seconds without a step, after which a process is started anew
    answer_timeout: float = 20.0  # or without a sign of life
    start_timeout: float = 300.0  # or until its first step


@dataclass
class TrainConfig:
    """`trailkit train`."""

    env: EnvConfig = field(default_factory=EnvConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    agent: AgentConfig = field(default_factory=AgentConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    actor: ActorConfig = field(default_factory=ActorConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    method: str = MISSING
    preset: str = MISSING
    learner: LearnerKind = MISSING
    demos: str | None = None  # the folder that `trailkit record` wrote
    demo_limit: int | None = None  # how many of its episodes to learn from; all by default
    holdout: int | None = None  # episodes, the last ones, kept back to see what memorises; see `holdout_episodes`
    random_demos: str | None = None  # a random policy in the expert's environment, for constraint=random
    demos_in_replay: bool = True  # whether the critic and the policy learn from the expert's transitions too
    out: str = MISSING  # the run's folder
    seed: int = 0
    steps: int = 20_000  # learner steps
    minutes: float | None = None  # stop earlier, after this long
    checkpoint_every: int = 1000  # learner steps
    keep_checkpoints: int = 3
    threads: int = 2  # of torch
    device: str = "auto"  # cpu, cuda or auto
    cuda_graph: bool = True  # on a GPU, whether an update's kernels are launched as one; bc and ddpgfd never do so

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed, steps=self.steps, holdout=self.holdout, minutes=self.minutes)
        _at_least(1, threads=self.threads, checkpoint_every=self.checkpoint_every, demo_limit=self.demo_limit)
        _at_least(1, evaluation__every=self.evaluation.every, evaluation__episodes=self.evaluation.episodes)
        _at_least(1, agent__batch_size=self.agent.batch_size, agent__n_step=self.agent.n_step)
        _at_least(1, agent__frame_stack=self.agent.frame_stack)
        self._check_agent()
        launch = self.launch
        _at_least(1, launch__actors=launch.actors, launch__publish_every=launch.publish_every)
        _at_least(0, launch__evaluators=launch.evaluators, launch__learner_gpus=launch.learner_gpus)
        _at_least(1, launch__replay_port=launch.replay_port, launch__step_timeout=launch.step_timeout)
        _at_least(1, launch__answer_timeout=launch.answer_timeout, launch__start_timeout=launch.start_timeout)
        _at_least(0, launch__actor_cpus=launch.actor_cpus, launch__learner_cpus=launch.learner_cpus)
        if (launch.replay_port or 0) > 65535:
            raise UserError(f"launch.replay_port={launch.replay_port}: there is no such port")
        if launch.evaluators > 1:
            raise UserError(f"launch.evaluators={launch.evaluators}: one evaluates all that is due; choose 0 or 1")
        _at_least(0.01, replay__samples_per_insert=self.replay.samples_per_insert)
        _at_least(0, evaluation__seed=self.evaluation.seed, actor__random_steps=self.actor.random_steps)
        if self.actor.min_steps is None:
            ample = self.env.trial_steps
            self.actor.min_steps = min(70, self.env.episode_steps // 2) if ample is None else ample
        self._check_actor()
        self._check_method()
        self._check_discriminator()
        self._check_features()
        if self.device not in ("auto", "cpu", "cuda"):
            raise UserError(f"device={self.device}: choose auto, cpu or cuda")
        if self.discriminator.constraint is Constraint.random and self.launch.kind is LaunchKind.ray:
            raise UserError("discriminator.constraint=random needs launch=inline: no other keeps random episodes")
        if self.discriminator.constraint is Constraint.random and not self.actor.random_steps:
            raise UserError("discriminator.constraint=random needs actor.random_steps=1 or more, to have random frames")
        if self.discriminator.constraint is Constraint.random and self.random_demos is None:
            raise UserError(
                "discriminator.constraint=random needs random_demos=DIR: a random policy in the demonstrations' own "
                "environment, see trailkit record device=random"
            )

    def _check_agent(self) -> None:
        agent = self.agent
        _at_least(2, agent__atoms=agent.atoms)
        _at_least(1, agent__target_period=agent.target_period)
        _at_least(0, agent__random_shift=agent.random_shift, agent__bc_weight=agent.bc_weight)
        _at_least(0, agent__one_step_weight=agent.one_step_weight, agent__weight_decay=agent.weight_decay)
        _above(0, agent__learning_rate=agent.learning_rate, agent__max_grad_norm=agent.max_grad_norm)
        _above(0, agent__max_dqda_norm=agent.max_dqda_norm)
        if not agent.v_min < agent.v_max:
            raise UserError(
                f"agent.v_min={agent.v_min} and agent.v_max={agent.v_max}: the first must be the smaller one"
            )
        if not 0 <= agent.gamma < 1:
            raise UserError(f"agent.gamma={agent.gamma}: it must be in [0, 1)")
        for name in ("target_tau", "average_tau"):
            if not 0 < getattr(agent, name) <= 1:
                raise UserError(f"agent.{name}={getattr(agent, name)}: it must be in (0, 1]")

    def _check_actor(self) -> None:
        actor = self.actor
        _at_least(1, **{"the number of actor.exploration": len(actor.exploration)})
        _at_least(0, **{"the least of actor.exploration": min(actor.exploration)})
        if not 0 <= actor.noise_correlation < 1:
            raise UserError(f"actor.noise_correlation={actor.noise_correlation}: it must be in [0, 1)")
        _at_least(1, actor__patience=actor.patience, actor__fixed_steps=actor.fixed_steps)
        soonest = {
            EarlyStop.never: {},
            EarlyStop.adaptive: {"actor.patience": actor.patience, "actor.min_steps": actor.min_steps or 0},
            EarlyStop.fixed: {"actor.fixed_steps": actor.fixed_steps},
            EarlyStop.ground_truth: {"actor.patience": actor.patience},
        }[actor.early_stop]
        for name, steps in soonest.items():
            if steps >= self.env.episode_steps:
                raise UserError(
                    f"{name}={steps} and env.episode_steps={self.env.episode_steps}: early stopping could stop no "
                    "episode; choose fewer"
                    + (", or env.trial_steps, which preset=cpu has for it" if name == "actor.min_steps" else "")
                )

    def _check_method(self) -> None:
        learner, method = self.learner, f"method={self.method}"
        if self.actor.early_stop is EarlyStop.adaptive and learner in _WITHOUT_DISCRIMINATOR:
            raise UserError(
                f"actor.early_stop=adaptive needs a discriminator, which {method} has not: choose never, "
                "fixed or ground_truth"
            )
        if self.discriminator.constraint is not Constraint.none and learner is not LearnerKind.adversarial:
            raise UserError(
                f"discriminator.constraint={self.discriminator.constraint.name} needs a discriminator, which {method} "
                "has not"
            )
        if not self.demos_in_replay and learner in (LearnerKind.oracle, LearnerKind.ddpgfd):
            raise UserError(f"{method} is about the expert's transitions: demos_in_replay=false leaves none")
        if not self.demos_in_replay and self.agent.bc_weight:
            raise UserError("agent.bc_weight clones the expert's actions, of which demos_in_replay=false leaves none")
        if self.agent.one_step_weight and learner is not LearnerKind.ddpgfd:
            raise UserError(f"agent.one_step_weight is of method=ddpgfd: {method} has no one-step loss")
        if self.agent.weight_decay and learner is LearnerKind.bc:
            raise UserError(f"agent.weight_decay has no effect with {method}")
        if learner is LearnerKind.ddpgfd and self.launch.kind is LaunchKind.ray:
            raise UserError(f"{method} needs launch=inline: no other sets priorities")
        for name in ("priority_exponent", "importance_exponent"):
            if not 0 <= getattr(self.replay, name) <= 1:
                raise UserError(f"replay.{name}={getattr(self.replay, name)}: it must be in [0, 1]")
        _at_least(0, replay__demo_bonus=self.replay.demo_bonus)

    def _check_discriminator(self) -> None:
        chosen = self.discriminator
        _at_least(0, discriminator__gradient_penalty=chosen.gradient_penalty)
        _above(0, discriminator__learning_rate=chosen.learning_rate, discriminator__max_reward=chosen.max_reward)
        if chosen.constraint_ceiling is not None:
            _above(2 * math.log(2), discriminator__constraint_ceiling=chosen.constraint_ceiling)
        if not 0 < chosen.crop <= 1:
            raise UserError(f"discriminator.crop={chosen.crop}: it must be in (0, 1], a part of each side of a picture")
        if chosen.constraint is Constraint.early and not 1 <= self.env.early_steps < self.env.episode_steps:
            raise UserError(
                f"env.early_steps={self.env.early_steps}: discriminator.constraint=early needs the first steps of an "
                f"episode, of which there are env.episode_steps={self.env.episode_steps}"
            )
        if chosen.constraint_ceiling is not None and chosen.flip_labels:
            raise UserError(
                "discriminator.flip_labels=true needs discriminator.constraint_ceiling=null: flipped labels are bounded"
            )
        for name, share in (("dropout", chosen.dropout), ("label_smoothing", chosen.label_smoothing)):
            if not 0 <= share < 1:
                raise UserError(f"discriminator.{name}={share}: it must be in [0, 1)")
        if chosen.positive_prior is not None and not 0 < chosen.positive_prior < 1:
            raise UserError(f"discriminator.positive_prior={chosen.positive_prior}: it must be in (0, 1)")
        if chosen.positive_prior is not None and chosen.label_smoothing:
            raise UserError("discriminator.positive_prior and label_smoothing are two losses: give one of them")
        if chosen.loss is not None and (chosen.positive_prior is not None or chosen.label_smoothing):
            raise UserError("discriminator.loss takes the place of positive_prior and label_smoothing: leave them out")

    def _check_features(self) -> None:
        chosen = self.discriminator
        if self.encoder.bfloat16 and chosen.spectral_norm and chosen.features is Features.own:
            raise UserError(
                "encoder.bfloat16=true and discriminator.spectral_norm=true do not work together: choose one"
            )
        if self.agent.frame_stack > 1 and chosen.features is Features.critic:
            raise UserError(
                f"agent.frame_stack={self.agent.frame_stack} and discriminator.features=critic do not work together: "
                "the discriminator sees single frames"
            )


@dataclass
class TeleopConfig:
    """How a person records; see `trailkit.demos.teleop`."""

    fps: float | None = None  # control steps a second; fewer than the environment's own, the default, is slow motion
    pos_sensitivity: float = 1.0  # of full speed, at full deflection of a stick or with a key held
    dead_zone: float = 0.1  # of a stick's way, within which it is at rest
    view_cameras: list[str] | None = None  # what the person sees; by default front and wrist, or what is observed
    view_size: int = 256  # pixels, of each side of these pictures
    host: str = "127.0.0.1"  # where the page is served
    port: int = 8008  # 0 for a free one

    def __post_init__(self) -> None:
        _at_least(1, teleop__fps=self.fps)
        if self.view_cameras is not None:
            _at_least(1, **{"the number of teleop.view_cameras": len(self.view_cameras)})
        _at_least(0, teleop__port=self.port)
        _at_least(0.01, teleop__pos_sensitivity=self.pos_sensitivity)
        if self.port > 65535:
            raise UserError(f"teleop.port={self.port}: there is no such port")
        if not 0 <= self.dead_zone < 1:
            raise UserError(f"teleop.dead_zone={self.dead_zone}: it must be in [0, 1)")
        if not 64 <= self.view_size <= 1024:
            raise UserError(f"teleop.view_size={self.view_size}: it must lie within 64 and 1024")


@dataclass
class RecordConfig:
    """`trailkit record`."""

    env: EnvConfig = field(default_factory=EnvConfig)
    device: Device = Device.browser
    teleop: TeleopConfig = field(default_factory=TeleopConfig)
    expert: str | None = None  # MODULE:NAME of one's own script, for device=scripted
    noise: float = 0.2  # of the scripted expert's commands, in units of full speed
    variety: float = 0.0  # of its pace, pauses and ways, from 0 to 1, as far as people differ
    episodes: int = 100
    seed: int = 0
    keep_failures: bool = False  # of the scripted expert's; a person decides about each episode
    out: str = MISSING

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed, noise=self.noise)
        if not 0 <= self.variety <= 1:
            raise UserError(f"variety={self.variety}: it must be in [0, 1]")
        if self.expert is not None and (self.device is not Device.scripted or self.variety):
            raise UserError(f"expert={self.expert} needs device=scripted, and has no variety but its own")


@dataclass
class EvaluateConfig:
    """`trailkit evaluate`."""

    run: str = MISSING
    checkpoint: str = "last"  # or a learner step, all of them, or untrained
    task: str | None = None  # another one than the run's, seen by the same cameras
    appearance: list[str] | None = None  # what looks otherwise: arm_colour, table_colour, light, camera_pose
    distract: list[str] | None = None  # what does in each episode: colours, background, camera, objects
    suite: Suite | None = None  # shifts: the run's environment and all these, one by one
    episodes: int = 50
    seed: int = 0
    workers: int | None = None  # processes; by default one for each core, but 8 at most
    video: bool = False

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _at_least(1, workers=self.workers)
        if self.suite is not None and (self.task, self.appearance, self.distract) != (None, None, None):
            raise UserError(
                f"suite={self.suite.value} chooses environments: leave out task=, appearance= and distract="
            )
        if self.episodes < 1:
            raise UserError(f"episodes={self.episodes}: an evaluation needs at least one, 50 for a useful interval")


@dataclass
class RenderConfig:
    """`trailkit render`."""

    run: str = MISSING
    checkpoint: str = "last"
    episodes: int = 3
    seed: int = 0
    cameras: list[str] | None = None  # side by side; by default the front one, or the first that is observed
    height: int = 480
    width: int = 640
    quality: RenderQuality = RenderQuality.full
    overlay: bool = False  # rewards, values, actions and what the networks look at, beside the pictures
    out: str | None = None  # a folder, the run's videos by default; or a .gif or a .png (a contact sheet) of all

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _at_least(1, episodes=self.episodes)
        _at_least(1, height=self.height, width=self.width)
        if self.cameras is not None:
            _at_least(1, **{"the number of cameras": len(self.cameras)})


@dataclass
class WatchConfig:
    """`trailkit watch`."""

    run: str = MISSING
    seed: int = 0  # of the episodes that are played, which are those of the evaluation with this seed

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)


@dataclass
class AuditConfig:
    """`trailkit demos audit`; the environment is the trainer's, by default that of the demonstrations."""

    env: EnvConfig = field(default_factory=EnvConfig)
    out: str | None = None  # a folder; by default that of the demonstrations with _audit added
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _at_least(1, threads=self.threads, env__early_steps=self.env.early_steps)


def store_schemas() -> None:
    """Registers the dataclasses under the names that the YAML files' defaults lists use."""
    store = ConfigStore.instance()
    for name, schema in (
        ("train_schema", TrainConfig),
        ("record_schema", RecordConfig),
        ("evaluate_schema", EvaluateConfig),
        ("render_schema", RenderConfig),
        ("watch_schema", WatchConfig),
        ("audit_schema", AuditConfig),
    ):
        store.store(name=name, node=schema)
