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

    task: str = MISSING
    action_space: ActionSpaceName = ActionSpaceName.cartesian
    cameras: list[str] = field(default_factory=lambda: ["front"])
    height: int = 64
    width: int = 64
    proprioception: bool = True
    episode_steps: int = 200
    appearance: list[str] = field(default_factory=list)  # fixed changes of the look: arm_colour, light …
    distract: list[str] = field(default_factory=list)  # per episode: colours, background, camera, objects
    seeded: bool = False  # things in training episodes are laid out as in demonstrations; not in evaluations
    early_steps: int = 10  # steps before any progress on the task: TRAIL's constraining frames
    trial_steps: int | None = None  # ample for one attempt at the task; by default 70, at most half of episode_steps
    kind: EnvKind = EnvKind.trailkit
    # The rest is for environments that are not trailkit's own.
    id: str = ""  # kind=gymnasium: e.g. Pusher-v5, or MODULE:ID for one that a module registers
    domain: str = ""  # kind=dm_control: e.g. reacher, or manipulation
    kwargs: dict[str, Any] = field(default_factory=dict)  # passed to its constructor
    proprio: dict[str, str] = field(default_factory=dict)  # the robot's own parts of its observation: observation[0:4]
    success: str = "info"  # or info.KEY, terminated, never, reward>=NUMBER
    sparse_reward: bool = False  # reward 1 if the task is solved, else 0, instead of its own
    action_repeat: int = 1


@dataclass
class EncoderConfig:
    """The convolutions, of which agent and discriminator each have a copy."""

    kind: EncoderKind = EncoderKind.compact
    embedding: int = 64
    stack: str | None = None  # MODULE:NAME of your own convolutions, instead of kind's
    bfloat16: bool = False  # whether its convolutions compute in bfloat16 on a GPU; its weights stay float32


@dataclass
class AgentConfig:
    """Settings of D4PG, some of which BC also uses."""

    learning_rate: float = 1e-4
    batch_size: int = 32  # of the agent's transitions; equally many of the expert's are added
    gamma: float = 0.99
    n_step: int = 3
    frame_stack: int = 1  # consecutive frames stacked for the policy and the critic; the discriminator sees one
    v_min: float = -50.0
    v_max: float = 150.0
    atoms: int = 21
    target_period: int = 1  # learner steps between target updates
    target_tau: float = 0.01  # Polyak coefficient of the target networks; 1 copies them
    average_tau: float = 0.01  # Polyak coefficient of the averaged policy, which acts and is evaluated; 1 for none
    max_grad_norm: float = 40.0
    max_dqda_norm: float = 1.0
    random_shift: int = 3  # pixels
    colour_mixing: float = 0.0  # strength of random colour mixing: 1 if the expert's arm or light looks different
    bc_weight: float = 0.0  # of behaviour cloning on the expert's actions in the policy loss
    one_step_weight: float = 0.0  # learner=ddpgfd: of the one-step loss in addition to the n-step loss
    weight_decay: float = 0.0  # L2


@dataclass
class DiscriminatorConfig:
    """The discriminator and its reward."""

    learning_rate: float = 1e-4
    crop: float = 0.75  # the visible fraction of each side of an image: 48 of 64 pixels
    features: Features = Features.own
    loss: str | None = None  # MODULE:NAME of your own loss on the training frames, instead of the cross entropy
    constraint: Constraint = Constraint.none
    flip_labels: bool = False
    constraint_ceiling: float | None = None  # cross entropy in nats above which the constraint is inactive
    gradient_penalty: float = 0.0
    spectral_norm: bool = False
    dropout: float = 0.0  # probability per entry of the embedding
    label_smoothing: float = 0.0  # how far the expert's label is below 1
    positive_prior: float | None = None  # PU learning: the share of the agent's frames that are as good as the expert's
    reward: RewardForm = RewardForm.gail
    max_reward: float | None = None
    augment: bool = True  # otherwise it trains on plain centre crops
    colour_mixing: float = 0.0  # strength, on its training frames, as for the agent


@dataclass
class ActorConfig:
    """How the agent explores, and when it ends an episode early."""

    exploration: list[float] = field(default_factory=lambda: [0.15, 0.3])  # one deviation is drawn for each episode
    noise_correlation: float = 0.0  # correlation of the exploration noise between steps, below 1
    early_stop: EarlyStop = EarlyStop.never
    patience: int = 10  # steps in a row above the median
    min_steps: int | None = 0  # adaptive: no episode ends earlier; null means env.trial_steps
    fixed_steps: int = 50  # fixed: every episode ends after this many
    random_steps: int = 2000  # of a uniformly random policy, before learning starts


@dataclass
class ReplayConfig:
    """The storage of the agent's experience."""

    backend: ReplayBackend = ReplayBackend.auto
    capacity: int = 1_000_000  # transitions
    samples_per_insert: float = 8.0  # agent transitions sampled for each one inserted
    priority_exponent: float = 0.3  # learner=ddpgfd: the power of priorities in proportion to which it samples
    importance_exponent: float = 1.0  # learner=ddpgfd: how far importance weights correct for that
    demo_bonus: float = 1.0  # learner=ddpgfd: added to the priorities of the expert's transitions


@dataclass
class EvaluationConfig:
    """Evaluations during training."""

    every: int = 2000  # learner steps
    episodes: int = 20
    seed: int = 1_000_000  # evaluation episodes start equally in every run


@dataclass
class LaunchConfig:
    """Where a training's processes run: all in one process, or as Ray actors."""

    kind: LaunchKind = LaunchKind.inline
    address: str | None = None  # of a Ray cluster, "auto" for the one on this machine; by default Ray is started
    actors: int = 2  # processes that play
    actor_cpus: float = 1.0  # of a machine, for each of them
    learner_cpus: float = 1.0
    learner_gpus: float = 0.0
    evaluators: int = 1
    replay_port: int | None = None  # of the Reverb server; by default a free one
    publish_every: int = 25  # learner steps between published weights
    step_timeout: float = 60.0  # seconds without progress, after which a process is restarted
    answer_timeout: float = 20.0  # seconds without an answer, likewise
    start_timeout: float = 300.0  # seconds until its first step, likewise


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
    demos: str | None = None  # a folder written by `trailkit record`
    demo_limit: int | None = None  # how many of its episodes to learn from; all by default
    holdout: int | None = None  # episodes, the last ones, held out to detect memorisation; see `holdout_episodes`
    random_demos: str | None = None  # a random policy in the expert's environment, for constraint=random
    demos_in_replay: bool = True  # whether critic and policy also learn from the expert's transitions
    out: str = MISSING  # the folder of the run
    seed: int = 0
    steps: int = 20_000  # learner steps
    minutes: float | None = None  # stop earlier, after this long
    checkpoint_every: int = 1000  # learner steps
    keep_checkpoints: int = 3
    threads: int = 2  # torch threads
    device: str = "auto"  # cpu, cuda or auto
    cuda_graph: bool = True  # on a GPU, whether to launch an update as one CUDA graph; never for bc and ddpgfd

    def __post_init__(self) -> None:
        if self.actor.min_steps is None:
            ample = self.env.trial_steps
            self.actor.min_steps = min(AMPLE, self.env.episode_steps // 2) if ample is None else ample
        check_numbers(self)


@dataclass
class TeleopConfig:
    """How a person records; see `trailkit.demos.teleop`."""

    fps: float | None = None  # control steps per second; by default the environment's rate, lower is slow motion
    pos_sensitivity: float = 1.0  # of full speed, at full deflection of a stick or with a key held
    dead_zone: float = 0.1  # fraction of a stick's range, within which it counts as at rest
    view_cameras: list[str] | None = None  # what the person sees; by default front and wrist, or the observed cameras
    view_size: int = 256  # pixels, of each side of these images
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
    expert: str | None = None  # MODULE:NAME of your own expert, for device=scripted
    noise: float = 0.2  # of the scripted expert's commands, in units of full speed
    variety: float = 0.0  # of its speed, pauses and paths, from 0 to 1, which is as much as people vary
    episodes: int = 100
    seed: int = 0
    keep_failures: bool = False  # of the scripted expert; a person decides about each episode
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
    task: str | None = None  # a task other than the run's, with the same cameras
    appearance: list[str] | None = None  # fixed changes of the look: arm_colour, table_colour, light, camera_pose
    distract: list[str] | None = None  # changes of the look in each episode: colours, background, camera, objects
    suite: Suite | None = None  # shifts: the run's environment and all these changes, one by one
    episodes: int = 50
    seed: int = 0
    workers: int | None = None  # processes; by default one per core, but at most 8
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
    cameras: list[str] | None = None  # side by side; by default the front one, or the first observed one
    height: int = 480
    width: int = 640
    quality: RenderQuality = RenderQuality.full
    overlay: bool = False  # rewards, values, actions and what the networks look at, beside the images
    out: str | None = None  # a folder, by default the run's videos; or a .gif or a .png (a contact sheet) of all

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
    seed: int = 0  # of the displayed episodes, which are those of the evaluation with this seed

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
