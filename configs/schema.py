"""The schema of every configuration: one dataclass per component, validated when a command starts.

The YAML groups beside this file contain the values; keys that are in no dataclass are rejected.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from trailkit.configs.bounds import at_least
from trailkit.configs.checks import check_numbers
from trailkit.configs.choices import (
    ActionSpaceName,
    Constraint,
    Device,
    EarlyStop,
    EncoderKind,
    EnvKind,
    Features,
    LaunchKind,
    LearnerKind,
    RenderQuality,
    ReplayBackend,
    RewardForm,
    Suite,
)
from trailkit.envs.errors import UserError

AMPLE = 70  # default steps for one attempt at a task


@dataclass
class EnvConfig:
    """The environment; see `trailkit.envs.settings.EnvSettings`."""

    task: str = MISSING  # its name; env=NAME sets it with the values that suit it
    action_space: ActionSpaceName = ActionSpaceName.cartesian  # the hand's velocity, or the joints'
    cameras: list[str] = field(default_factory=lambda: ["front"])  # that policy and discriminator see
    height: int = 64  # of the pictures, in pixels
    width: int = 64  # of the pictures, in pixels
    proprioception: bool = True  # whether the policy knows the robot's own state, too; the discriminator never does
    episode_steps: int = 200  # control steps until an episode ends
    appearance: list[str] = field(default_factory=list)  # fixed changes of look: arm_colour, light …
    distract: list[str] = field(default_factory=list)  # changes of look in each episode: colours, camera …
    seeded: bool = False  # training episodes begin with the objects where a demonstration had them
    early_steps: int = 10  # first steps, in which nothing of the task is done yet: TRAIL's constraining frames
    trial_steps: int | None = None  # ample for one try; by default 70, but half of episode_steps at most
    kind: EnvKind = EnvKind.trailkit  # whose environment it is
    # What follows is for environments that are not trailkit's own.
    id: str = ""  # kind=gymnasium: such as Pusher-v5, or MODULE:ID if a module registers it
    domain: str = ""  # kind=dm_control: such as reacher, or manipulation
    kwargs: dict[str, Any] = field(default_factory=dict)  # arguments of the environment's constructor
    proprio: dict[str, str] = field(default_factory=dict)  # the robot's own parts of its observation: observation[0:4]
    success: str = "info"  # when an episode is solved: info, info.KEY, terminated, never, or reward>=NUMBER
    sparse_reward: bool = False  # replaces its own reward by 1 where the task is solved and 0 elsewhere
    action_repeat: int = 1  # how many of its steps each action is held for


@dataclass
class EncoderConfig:
    """The convolutions, of which agent and discriminator each have a copy."""

    kind: EncoderKind = EncoderKind.compact  # compact suits a CPU, residual is the paper's
    embedding: int = 64  # width of the embedding of a picture
    stack: str | None = None  # MODULE:NAME of your own convolutions, instead of kind
    bfloat16: bool = False  # compute convolutions in bfloat16 on a GPU; the weights stay float32


@dataclass
class AgentConfig:
    """Settings of D4PG, some of which BC also uses."""

    learning_rate: float = 1e-4  # Adam's, of critic and policy
    batch_size: int = 32  # agent transitions in a batch; as many of the expert's are added
    gamma: float = 0.99  # discount
    n_step: int = 3  # steps of the n-step return
    frame_stack: int = 1  # consecutive frames that policy and critic see; the discriminator sees one
    v_min: float = -50.0  # lowest return that the critic can express
    v_max: float = 150.0  # highest return that the critic can express
    atoms: int = 21  # of the critic's distribution over returns
    target_period: int = 1  # learner steps between updates of the target networks
    target_tau: float = 0.01  # how far target networks move in an update (Polyak); 1 copies them
    average_tau: float = 0.01  # how fast the averaged policy follows, which acts and is evaluated; 1 for no average
    max_grad_norm: float = 40.0  # gradients are clipped to this norm
    max_dqda_norm: float = 1.0  # the critic's gradient by the action is clipped to this norm
    random_shift: int = 3  # largest random shift of the pictures, in pixels (DrQ)
    random_colours: bool = False  # recolour pictures at random: for an expert whose arm or light looks different
    bc_weight: float = 0.0  # weight of a behaviour-cloning term in the policy's loss
    one_step_weight: float = 0.0  # learner=ddpgfd: weight of the one-step loss beside the n-step one
    weight_decay: float = 0.0  # L2 regularisation


@dataclass
class DiscriminatorConfig:
    """The discriminator and its reward."""

    learning_rate: float = 1e-4  # Adam's
    crop: float = 0.75  # part of each side of a picture that it sees: 0.75 is 48 of 64 pixels
    features: Features = Features.own  # an encoder of its own, a random one, or the critic's
    loss: str | None = None  # MODULE:NAME of your own loss on the training frames, instead of the cross entropy
    constraint: Constraint = Constraint.none  # frames on which it must not beat chance
    flip_labels: bool = False  # constrain by swapped labels instead of the paper's reversed loss
    constraint_ceiling: float | None = None  # cross entropy in nats beyond which the constraint pushes no further
    gradient_penalty: float = 0.0  # weight of the gradient penalty
    spectral_norm: bool = False  # spectral normalisation of all its layers
    dropout: float = 0.0  # probability with which entries of the embedding are dropped
    label_smoothing: float = 0.0  # how far the expert's label lies below 1
    positive_prior: float | None = None  # PU learning: share of the agent's frames that are as good as the expert's
    reward: RewardForm = RewardForm.gail  # gail is -log(1-D), airl log D - log(1-D), log is log D
    max_reward: float | None = None  # rewards are clipped to this
    augment: bool = True  # augment its training frames: crop, rotation, brightness, contrast, saturation, noise
    random_colours: bool = False  # recolour its training frames at random, too


@dataclass
class ActorConfig:
    """How the agent explores, and when it ends an episode early."""

    exploration: list[float] = field(default_factory=lambda: [0.15, 0.3])  # noise deviations; an episode has one
    noise_correlation: float = 0.0  # of the exploration noise from step to step, below 1
    early_stop: EarlyStop = EarlyStop.never  # when training episodes are given up
    patience: int = 10  # adaptive: consecutive steps with a score above the episode's median
    min_steps: int | None = 0  # adaptive: no episode is given up before; null is env.trial_steps
    fixed_steps: int = 50  # fixed: every episode is given up after
    random_steps: int = 2000  # steps of a uniformly random policy before learning begins


@dataclass
class ReplayConfig:
    """The storage of the agent's experience."""

    backend: ReplayBackend = ReplayBackend.auto  # auto is Reverb where it is installed, else this process's memory
    capacity: int = 1_000_000  # transitions
    samples_per_insert: float = 8.0  # how often each agent transition is learned from, on average
    priority_exponent: float = 0.3  # learner=ddpgfd: transitions are sampled by their priorities to this power
    importance_exponent: float = 1.0  # learner=ddpgfd: how far importance weights make up for that
    demo_bonus: float = 1.0  # learner=ddpgfd: added to the priorities of the expert's transitions


@dataclass
class EvaluationConfig:
    """Evaluations during training."""

    every: int = 2000  # learner steps between evaluations
    episodes: int = 20  # of each evaluation
    seed: int = 1_000_000  # of their starts, which are the same in every run


@dataclass
class LaunchConfig:
    """Where a training's processes run: all in one process, or as Ray actors."""

    kind: LaunchKind = LaunchKind.inline  # everything in one process, or actors as processes of Ray
    address: str | None = None  # of a Ray cluster, "auto" for this machine's; by default Ray is started
    actors: int = 2  # processes that play
    actor_cpus: float = 1.0  # cores that each of them asks Ray for
    learner_cpus: float = 1.0  # cores that the learner asks Ray for
    learner_gpus: float = 0.0  # GPUs that the learner asks Ray for
    evaluators: int = 1  # 1 evaluates in a process of its own, 0 not at all
    replay_port: int | None = None  # of the Reverb server; by default a free one
    publish_every: int = 25  # learner steps between the weights that actors get
    step_timeout: float = 60.0  # a process without a step for so many seconds is started anew
    answer_timeout: float = 20.0  # or without a sign of life for so many
    start_timeout: float = 300.0  # or without its first step after so many


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
    method: str = MISSING  # which method's settings to start from
    preset: str = MISSING  # which machine's settings to start from; paper has the published ones
    learner: LearnerKind = MISSING  # what learns; method sets it
    demos: str | None = None  # folder of demonstrations that trailkit record wrote
    demo_limit: int | None = None  # how many of its episodes to learn from; all by default
    holdout: int | None = None  # last episodes kept back, to see what is memorised; see `holdout_episodes`
    random_demos: str | None = None  # constraint=random: a random policy's episodes in the expert's environment
    demos_in_replay: bool = True  # whether critic and policy learn from the expert's transitions, too
    out: str = MISSING  # folder of the run
    seed: int = 0  # of everything that is drawn
    steps: int = 20_000  # learner steps to train for
    minutes: float | None = None  # stop after so many, if that is sooner
    checkpoint_every: int = 1000  # learner steps between checkpoints
    wandb: str | None = None  # log to this project of Weights & Biases, too
    keep_checkpoints: int = 3  # how many of the newest to keep, beside the best
    threads: int = 2  # of torch
    device: str = "auto"  # cpu, cuda, cuda:1 …, or auto: cuda if there is one
    cuda_graph: bool = True  # launch a GPU update as one graph; bc and ddpgfd never do

    def __post_init__(self) -> None:
        if self.actor.min_steps is None:
            ample = self.env.trial_steps
            self.actor.min_steps = min(AMPLE, self.env.episode_steps // 2) if ample is None else ample
        check_numbers(self)


@dataclass
class TeleopConfig:
    """How a person records; see `trailkit.demos.teleop`."""

    fps: float | None = None  # control steps a second; fewer than the environment's own is slow motion
    pos_sensitivity: float = 1.0  # speed at full deflection, as a part of full speed
    rot_sensitivity: float = 1.0  # the same of turning, where the environment's hand turns
    dead_zone: float = 0.1  # part of a stick's way within which it is at rest
    view_cameras: list[str] | None = None  # what the person sees; by default front and wrist, or what is observed
    view_size: int = 256  # width and height of these pictures, in pixels
    host: str = "127.0.0.1"  # address at which the page is served
    port: int = 8008  # its port; 0 for a free one

    def __post_init__(self) -> None:
        at_least(1, teleop__fps=self.fps)
        if self.view_cameras is not None:
            at_least(1, **{"the number of teleop.view_cameras": len(self.view_cameras)})
        at_least(0, teleop__port=self.port)
        at_least(0.01, teleop__pos_sensitivity=self.pos_sensitivity, teleop__rot_sensitivity=self.rot_sensitivity)
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
    device: Device = Device.browser  # with what to demonstrate
    teleop: TeleopConfig = field(default_factory=TeleopConfig)
    expert: str | None = None  # device=scripted: MODULE:NAME of your own script
    noise: float = 0.2  # device=scripted: standard deviation of the noise on its commands
    variety: float = 0.0  # device=scripted: of pace, pauses and ways, from 0 to 1, as far as people differ
    episodes: int = 100  # how many the folder is to hold
    seed: int = 0  # of their starts
    keep_failures: bool = False  # device=scripted: keep episodes that do not solve the task
    out: str = MISSING  # folder of the demonstrations

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed, noise=self.noise)
        if not 0 <= self.variety <= 1:
            raise UserError(f"variety={self.variety}: it must be in [0, 1]")
        if self.expert is not None and (self.device is not Device.scripted or self.variety):
            raise UserError(f"expert={self.expert} needs device=scripted, and has no variety but its own")


@dataclass
class EvaluateConfig:
    """`trailkit evaluate`."""

    run: str = MISSING  # folder of the run
    checkpoint: str = "last"  # last, best, untrained, all, or a learner step
    task: str | None = None  # another task than the run's, seen by the same cameras
    appearance: list[str] | None = None  # fixed changes of look: arm_colour, table_colour, light, camera_pose
    distract: list[str] | None = None  # changes of look in each episode: colours, background, camera, objects
    suite: Suite | None = None  # shifts: the run's environment and all these changes, one by one
    episodes: int = 50  # how many to play
    seed: int = 0  # of their starts
    workers: int | None = None  # processes; by default one for each core, 8 at most
    video: bool = False  # film the first episode

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        at_least(1, workers=self.workers)
        if self.suite is not None and (self.task, self.appearance, self.distract) != (None, None, None):
            raise UserError(
                f"suite={self.suite.value} chooses environments: leave out task=, appearance= and distract="
            )
        if self.episodes < 1:
            raise UserError(f"episodes={self.episodes}: an evaluation needs at least one, 50 for a useful interval")


@dataclass
class RenderConfig:
    """`trailkit render`."""

    run: str = MISSING  # folder of the run
    checkpoint: str = "last"  # last, best, untrained, or a learner step
    episodes: int = 3  # how many to film
    seed: int = 0  # of their starts, as in an evaluation
    cameras: list[str] | None = None  # side by side; by default front, or the first that is observed
    height: int = 480  # of the pictures, in pixels
    width: int = 640  # of the pictures, in pixels
    quality: RenderQuality = RenderQuality.full  # full, or fast: as the policy sees
    overlay: bool = False  # show rewards, values, actions and what the networks look at
    out: str | None = None  # a folder, by default the run's videos; or a .gif, or a .png contact sheet

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        at_least(1, episodes=self.episodes)
        at_least(1, height=self.height, width=self.width)
        if self.cameras is not None:
            at_least(1, **{"the number of cameras": len(self.cameras)})


@dataclass
class WatchConfig:
    """`trailkit watch`."""

    run: str = MISSING  # folder of the run
    seed: int = 0  # of the episodes that are played, as in an evaluation

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)


@dataclass
class AuditConfig:
    """`trailkit demos audit`; the environment is the trainer's, by default that of the demonstrations."""

    env: EnvConfig = field(default_factory=EnvConfig)
    out: str | None = None  # a folder; by default that of the demonstrations with _audit appended
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        at_least(1, threads=self.threads, env__early_steps=self.env.early_steps)


def store_schemas() -> None:
    """Registers the dataclasses under the names used in the YAML files' defaults lists."""
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
