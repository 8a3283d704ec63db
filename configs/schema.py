"""The shape of every configuration: one dataclass a component, checked when a command starts.

The YAML groups beside this file give the values; a key that no dataclass has is refused.
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

AMPLE = 70  # steps for one try at a task, where nobody says how many


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
    colour_mixing: float = 0.0  # how much colours are mixed at random: 1 where the expert's arm or light differs
    bc_weight: float = 0.0  # of the expert's actions in the policy's loss
    one_step_weight: float = 0.0  # learner=ddpgfd: of the one-step loss beside the n-step one
    weight_decay: float = 0.0  # L2


@dataclass
class DiscriminatorConfig:
    """The discriminator and the reward that it gives."""

    learning_rate: float = 1e-4
    crop: float = 0.75  # of each side of a picture, that is seen: 48 of 64 pixels
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
    colour_mixing: float = 0.0  # of those frames, as for the agent


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
        if self.actor.min_steps is None:
            ample = self.env.trial_steps
            self.actor.min_steps = min(AMPLE, self.env.episode_steps // 2) if ample is None else ample
        check_numbers(self)


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
        at_least(1, teleop__fps=self.fps)
        if self.view_cameras is not None:
            at_least(1, **{"the number of teleop.view_cameras": len(self.view_cameras)})
        at_least(0, teleop__port=self.port)
        at_least(0.01, teleop__pos_sensitivity=self.pos_sensitivity)
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
        at_least(0, seed=self.seed, noise=self.noise)
        if not 0 <= self.variety <= 1:
            raise UserError(f"variety={self.variety}: it must be in [0, 1]")
        if self.expert is not None and (self.device is not Device.scripted or self.variety):
            raise UserError(f"expert={self.expert} needs device=scripted, and has no variety but its own")


@dataclass
class EvaluateConfig:
    """`trailkit evaluate`."""

    run: str = MISSING
    checkpoint: str = "last"  # or a learner step, best, all of them, or untrained
    task: str | None = None  # another one than the run's, seen by the same cameras
    appearance: list[str] | None = None  # what looks otherwise: arm_colour, table_colour, light, camera_pose
    distract: list[str] | None = None  # what does in each episode: colours, background, camera, objects
    suite: Suite | None = None  # shifts: the run's environment and all these, one by one
    episodes: int = 50
    seed: int = 0
    workers: int | None = None  # processes; by default one for each core, but 8 at most
    video: bool = False

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
        at_least(0, seed=self.seed)
        at_least(1, episodes=self.episodes)
        at_least(1, height=self.height, width=self.width)
        if self.cameras is not None:
            at_least(1, **{"the number of cameras": len(self.cameras)})


@dataclass
class WatchConfig:
    """`trailkit watch`."""

    run: str = MISSING
    seed: int = 0  # of the episodes that are played, which are those of the evaluation with this seed

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)


@dataclass
class AuditConfig:
    """`trailkit demos audit`; the environment is the trainer's, by default that of the demonstrations."""

    env: EnvConfig = field(default_factory=EnvConfig)
    out: str | None = None  # a folder; by default that of the demonstrations with _audit added
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        at_least(0, seed=self.seed)
        at_least(1, threads=self.threads, env__early_steps=self.env.early_steps)


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
