"""From configuration to the environment's settings."""

from trailkit.configs.choices import EnvKind
from trailkit.configs.schema import EnvConfig
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin


def env_settings(config: EnvConfig) -> EnvSettings:
    """The environment's settings."""
    external = _external(config)
    proprioception = config.proprioception and (external is None or bool(external.proprio))
    observation = ObservationSettings(tuple(config.cameras), config.height, config.width, proprioception)
    action_space = ActionSpace(config.action_space.value)
    task = f"{config.domain}/{config.task}" if config.domain else config.task
    appearance, distract = tuple(config.appearance), tuple(config.distract)
    return EnvSettings(task, action_space, observation, config.episode_steps, appearance, external, distract)


def _external(config: EnvConfig) -> External | None:
    if config.kind is EnvKind.trailkit:
        return None
    for kind, name in ((EnvKind.gymnasium, "id"), (EnvKind.dm_control, "domain")):
        if config.kind is kind and not getattr(config, name):
            raise UserError(f"env={kind.name} needs env.{name}=…, and there is none")
    return External(
        Origin(config.kind.value),
        config.kwargs,
        config.proprio,
        config.success,
        config.sparse_reward,
        config.action_repeat,
    )
