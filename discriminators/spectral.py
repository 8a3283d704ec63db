"""Spectral normalisation of a discriminator's layers."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrally(network: nn.Module) -> None:
    """Divides the weights of each linear and convolutional layer by their largest singular value, from now on.

    A convolution's weights count as the matrix [out, in * height * width]. The singular value is followed by one step
    of power iteration for each forward pass in training mode. See "Spectral Normalization for Generative Adversarial
    Networks", Miyato et al. 2018, eq. 8 and alg. 1 (https://arxiv.org/abs/1802.05957).
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            spectral_norm(layer)
