"""A convolutional denoising autoencoder, compared with a plain one.

Corrects tutorials that claim that any autoencoder removes noise and repairs pictures, and train on clean pictures only.
A plain autoencoder learns to reproduce its input, noise included. To remove noise, a model must be trained on corrupted
pictures with the clean ones as targets (Vincent et al., "Extracting and Composing Robust Features with Denoising
Autoencoders", ICML 2008).

Type
    python examples/denoising.py

and see held-out pictures of which 30 % of the pixels were set to black or white. The plain autoencoder has a larger
error than PCA. The denoising autoencoder with the same network removes most of the noise.
"""

from __future__ import annotations

import torch
from common import arguments, baselines, code_size, gallery, pictures, table

from isthmus import Autoencoder, DenoisingAutoencoder, data, networks
from isthmus.tasks import denoise

NOISE, SHARE = "salt-and-pepper", 0.3


def main() -> None:
    """Train both networks on clean pictures, and give them spoilt ones."""
    options = arguments(__doc__, epochs=3)
    train, test = pictures(options.data)
    size = code_size(32, train)
    common = {
        "network": "convolutional",
        "latent_dim": size,
        "likelihood": "bernoulli",
        "max_epochs": options.epochs,
        "random_state": 0,
    }
    plain = Autoencoder(**common).fit(train)
    denoising = DenoisingAutoencoder(corruption=NOISE, corruption_level=SHARE, **common).fit(train)

    spoilt = networks.corrupt(torch.tensor(test.array), NOISE, SHARE, torch.Generator().manual_seed(0)).numpy()
    found = {"spoilt picture": spoilt} | baselines(train, data.open(spoilt), size)
    found["plain autoencoder"] = denoise(plain, spoilt)
    found["denoising autoencoder"] = denoise(denoising, spoilt)
    table(test, found)
    gallery(test, found, options.output / "denoising.png", original="clean picture")


if __name__ == "__main__":
    main()
