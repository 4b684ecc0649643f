"""Encoders and decoders, likelihoods (what a decoder's numbers mean), and what may happen to records on the way.

Nothing here knows of a model, a file or a training loop.
"""

from isthmus.networks.augmentation import AUGMENTATIONS, augment
from isthmus.networks.auto import NETWORKS, build, choose, facts_of, make_likelihood
from isthmus.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder
from isthmus.networks.core import Core
from isthmus.networks.corruption import CORRUPTIONS, IMAGE_CORRUPTIONS, corrupt
from isthmus.networks.dense import DenseDecoder, DenseEncoder, TiedDecoder
from isthmus.networks.layers import ACTIVATIONS
from isthmus.networks.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    Facts,
    Gaussian,
    Huber,
    Laplace,
    Likelihood,
    MixedTable,
    likelihood_from,
)
from isthmus.networks.residual import ResidualBlock

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "CORRUPTIONS",
    "IMAGE_CORRUPTIONS",
    "LIKELIHOODS",
    "NETWORKS",
    "Bernoulli",
    "Categorical",
    "ConvolutionalDecoder",
    "ConvolutionalEncoder",
    "Core",
    "DenseDecoder",
    "DenseEncoder",
    "DiscretisedLogistic",
    "Facts",
    "Gaussian",
    "Huber",
    "Laplace",
    "Likelihood",
    "MixedTable",
    "ResidualBlock",
    "TiedDecoder",
    "augment",
    "build",
    "choose",
    "corrupt",
    "facts_of",
    "likelihood_from",
    "make_likelihood",
]
