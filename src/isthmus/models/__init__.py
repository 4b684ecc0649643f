"""Models: one file a family. The import below is the registry: names are class names."""

from __future__ import annotations

from isthmus.base import Model
from isthmus.models.adversarial import VAEGAN, AdversarialAutoencoder
from isthmus.models.autoencoder import Autoencoder
from isthmus.models.conditional import ConditionalVAE
from isthmus.models.contractive import ContractiveAutoencoder
from isthmus.models.denoising import DenoisingAutoencoder
from isthmus.models.gan import GAN, ConditionalGAN
from isthmus.models.ladder import LadderVAE
from isthmus.models.ladder_network import LadderNetwork
from isthmus.models.map import Map
from isthmus.models.regularized import RegularizedAutoencoder
from isthmus.models.sparse import SparseAutoencoder
from isthmus.models.total_correlation import TotalCorrelationVAE
from isthmus.models.vae import VAE
from isthmus.models.vqvae import VQVAE
from isthmus.models.wasserstein import WassersteinAutoencoder

__all__ = [
    "GAN",
    "VAE",
    "VAEGAN",
    "VQVAE",
    "AdversarialAutoencoder",
    "Autoencoder",
    "ConditionalGAN",
    "ConditionalVAE",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "LadderNetwork",
    "LadderVAE",
    "Map",
    "RegularizedAutoencoder",
    "SparseAutoencoder",
    "TotalCorrelationVAE",
    "WassersteinAutoencoder",
]

REGISTRY: dict[str, type[Model]] = {name: globals()[name] for name in __all__}
