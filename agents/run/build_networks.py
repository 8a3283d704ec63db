"""From configuration to freshly initialised networks."""

from collections.abc import Mapping

from trailkit.agents.networks.encoders import CompactEncoder, Encoder, NatureEncoder, ResidualEncoder
from trailkit.agents.networks.heads import CriticHead, PolicyHead, PolicyNetwork
from trailkit.agents.run.user_parts import own_stack
from trailkit.configs.choices import EncoderKind
from trailkit.configs.schema import EncoderConfig, TrainConfig
from trailkit.envs.errors import UserError
from trailkit.envs.make import Signature
from trailkit.envs.settings import EnvSettings, ObservationSettings

_ENCODERS: dict[EncoderKind, type[CompactEncoder] | type[NatureEncoder] | type[ResidualEncoder]] = {
    EncoderKind.compact: CompactEncoder,
    EncoderKind.nature: NatureEncoder,
    EncoderKind.residual: ResidualEncoder,
}


def make_encoder(config: EncoderConfig, sizes: Mapping[str, tuple[int, int]], frame_stack: int = 1) -> Encoder:
    """An encoder for cameras with these image sizes and this many stacked frames.

    Raises:
        UserError: If the user's own stack cannot be imported, or the images are too small.
    """
    if config.stack is not None:
        return Encoder(own_stack(config.stack), dict(sizes), config.embedding, config.bfloat16, frame_stack)
    try:
        return _ENCODERS[config.kind](dict(sizes), config.embedding, config.bfloat16, frame_stack)
    except (RuntimeError, ValueError) as error:  # raised by a layer whose input is too small
        small = ", ".join(f"{camera} {height}x{width}" for camera, (height, width) in sorted(sizes.items()))
        raise UserError(
            f"encoder={config.kind.name} can make nothing of pictures as small as {small}: choose a larger "
            "env.height and env.width, or discriminator.crop"
        ) from error


def make_policy_network(config: TrainConfig, settings: EnvSettings, known: Signature) -> PolicyNetwork:
    """The encoder and the policy's head, for an environment with this signature."""
    head = PolicyHead(config.encoder.embedding, known.proprio_size, known.action_size)
    encoder = make_encoder(config.encoder, image_sizes(settings.observation), config.agent.frame_stack)
    return PolicyNetwork(encoder, head)


def make_critic_head(config: TrainConfig, known: Signature) -> CriticHead:
    """The critic's head, for the policy's encoder."""
    return CriticHead(config.encoder.embedding, known.proprio_size, known.action_size, config.agent.atoms)


def image_sizes(observation: ObservationSettings) -> dict[str, tuple[int, int]]:
    """Height and width of each camera's images.

    Raises:
        UserError: If there is no camera.
    """
    if not observation.cameras:
        raise UserError("training needs pixels: env.cameras is empty")
    return {camera: (observation.height, observation.width) for camera in observation.cameras}
