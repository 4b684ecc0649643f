"""Models: one file a family. The import below is the registry: names are class names."""

from __future__ import annotations

import os
from typing import Any

from isthmus import artifact
from isthmus.base import Model
from isthmus.errors import ArtifactError
from isthmus.models.adversarial import VAEGAN, AdversarialAutoencoder
from isthmus.models.autoencoder import Autoencoder
from isthmus.models.conditional import ConditionalVAE
from isthmus.models.contractive import ContractiveAutoencoder
from isthmus.models.denoising import DenoisingAutoencoder
from isthmus.models.gan import GAN, ConditionalGAN
from isthmus.models.ladder import LadderVAE
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
    "LadderVAE",
    "RegularizedAutoencoder",
    "SparseAutoencoder",
    "TotalCorrelationVAE",
    "WassersteinAutoencoder",
]

REGISTRY: dict[str, type[Model]] = {name: globals()[name] for name in __all__}


def load(path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Model:
    """Return the fitted model of a file, whatever its class.

    Parameters
    ----------
    path : path
        A file that ``save`` or ``isthmus fit`` wrote.
    network : (encoder, decoder), optional
        New instances of the user's own modules, for a model that was fitted with such.
    device : str, optional
        Where to; by default the device named when it was fitted, where this machine has it, else the processor.

    Raises
    ------
    ArtifactError
        The file is damaged, or of a class that this version does not have.
    FormatNumberError
        The file is of a later format.
    """
    name = artifact.describe(path)["class"]
    if name == "Checkpoint":
        raise ArtifactError(
            f"{os.fspath(path)} is the checkpoint of a run that did not end, not a model; go on from it with --resume "
            f"(fit(..., resume=path))."
        )
    if name not in REGISTRY:
        raise ArtifactError(f"{os.fspath(path)} holds a {name}; isthmus has {', '.join(REGISTRY)}.")
    return REGISTRY[name].load(path, network=network, device=device)
