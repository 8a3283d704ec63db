"""Spectral normalisation of a discriminator's layers."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrally(network: nn.Module) -> None:
    """Divides the weights of each linear and convolutional layer by their largest singular value, at every use.

    A convolution's weights are viewed as the matrix [out, in * height * width]. The singular value is tracked by one
    step of power iteration per forward pass in training mode. See "Spectral Normalization for Generative Adversarial
    Networks", Miyato et al. 2018, eq. 8 and alg. 1 (https://arxiv.org/abs/1802.05957).
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            spectral_norm(layer)
