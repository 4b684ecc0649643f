"""Encoders and decoders, likelihoods, augmentation and corruption.

Nothing here knows of a model, a file or a training loop.
"""

from isthmus.networks.adversarial import AdversarialCore, Critic, Octaves
from isthmus.networks.augmentation import AUGMENTATIONS, Augmentation, augment
from isthmus.networks.auto import NETWORKS, WITHOUT_SEQUENCE, build, code_shape
from isthmus.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder
from isthmus.networks.core import Core, Slopes
from isthmus.networks.corruption import BLANKING, CORRUPTIONS, IMAGE_CORRUPTIONS, TEXT_CORRUPTIONS, corrupt
from isthmus.networks.denoising_ladder import DenoisingLadder, LadderNetworkCore
from isthmus.networks.dense import DenseDecoder, DenseEncoder, TiedDecoder
from isthmus.networks.flows import CouplingFlow, InverseAutoregressiveFlow, MaskedDense
from isthmus.networks.ladder import Ladder, LadderCore
from isthmus.networks.landmarks import LandmarkEncoder, log_cauchy_density
from isthmus.networks.layers import ACTIVATIONS
from isthmus.networks.likelihoods import (
    LIKELIHOODS,
    Autoregressive,
    Bernoulli,
    Categorical,
    DiscretisedLogistic,
    Facts,
    Gaussian,
    Huber,
    Laplace,
    Likelihood,
    MixedTable,
    default_likelihood,
    likelihood_from,
)
from isthmus.networks.priors import PRIORS, FlowPrior, MixturePrior, Prior, StandardNormal, VampPrior
from isthmus.networks.quantised import QuantisedCore, ScalarQuantiser, TokenPrior, VectorQuantiser
from isthmus.networks.residual import ResidualBlock
from isthmus.networks.sequence import SequenceDecoder, SequenceEncoder
from isthmus.networks.variational import ConditionalCore, Posterior, VariationalCore, kl_to_standard_normal

__all__ = [
    "ACTIVATIONS",
    "AUGMENTATIONS",
    "BLANKING",
    "CORRUPTIONS",
    "IMAGE_CORRUPTIONS",
    "LIKELIHOODS",
    "NETWORKS",
    "PRIORS",
    "TEXT_CORRUPTIONS",
    "WITHOUT_SEQUENCE",
    "AdversarialCore",
    "Augmentation",
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "ConditionalCore",
    "ConvolutionalDecoder",
    "ConvolutionalEncoder",
    "Core",
    "CouplingFlow",
    "Critic",
    "DenoisingLadder",
    "DenseDecoder",
    "DenseEncoder",
    "DiscretisedLogistic",
    "Facts",
    "FlowPrior",
    "Gaussian",
    "Huber",
    "InverseAutoregressiveFlow",
    "Ladder",
    "LadderCore",
    "LadderNetworkCore",
    "LandmarkEncoder",
    "Laplace",
    "Likelihood",
    "MaskedDense",
    "MixedTable",
    "MixturePrior",
    "Octaves",
    "Posterior",
    "Prior",
    "QuantisedCore",
    "ResidualBlock",
    "ScalarQuantiser",
    "SequenceDecoder",
    "SequenceEncoder",
    "Slopes",
    "StandardNormal",
    "TiedDecoder",
    "TokenPrior",
    "VampPrior",
    "VariationalCore",
    "VectorQuantiser",
    "augment",
    "build",
    "code_shape",
    "corrupt",
    "default_likelihood",
    "kl_to_standard_normal",
    "likelihood_from",
    "log_cauchy_density",
]
