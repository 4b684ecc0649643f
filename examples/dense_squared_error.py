"""A dense autoencoder with one layer each for encoder and decoder, 784-32-784, and squared error.

Corrects a tutorial that trained this network on a hundred rows of random numbers, which have no structure (see
noise_control.py), and put a ReLU on the code. A unit with a negative input for all pictures has no gradient and stays
zero, so the code has fewer dimensions than it seems. A code needs no activation. And 32 numbers are not a compressed
file: as 32-bit floats they take 128 bytes, and no step makes them smaller.

Type
    python examples/dense_squared_error.py

and see the same network with and without the ReLU. With it, several latent dimensions are always zero, and the error is
that of a smaller code; without it, all are in use. The last row uses the default optimiser of the library.
"""

from __future__ import annotations

import torch
from common import arguments, baselines, code_size, gallery, pictures, table
from torch import nn

from isthmus import Autoencoder, metrics


def main() -> None:
    """Train the network three times, count the units in use, and compare."""
    options = arguments(__doc__, epochs=10)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(32, train)

    torch.manual_seed(0)  # PyTorch draws the first weights of modules of our own from its global generator

    def network(*after_the_code: nn.Module) -> tuple[nn.Module, nn.Module]:
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, size), *after_the_code)
        return encoder, nn.Sequential(nn.Linear(size, pixels), nn.Sigmoid())

    # The sigmoid gives values between 0 and 1, so pixels are scaled to that range.
    common = {"likelihood": "gaussian-fixed", "scaling": "unit", "max_epochs": options.epochs, "random_state": 0}
    models = {
        "ReLU code, Adam": Autoencoder(network=network(nn.ReLU()), optimizer="adam", **common),
        "linear code, Adam": Autoencoder(network=network(), optimizer="adam", **common),
        "linear code, Muon": Autoencoder(network=network(), **common),
    }
    found = baselines(train, test, size)
    units = {}
    for name, model in models.items():
        found[name] = model.fit(train).reconstruct(test)
        units[name] = int(metrics.active_units(model.transform(test)).sum())

    print(f"{pixels}-{size}-{pixels}, squared error:\n")
    table(test, found, units_in_use=units)
    gallery(test, found, options.output / "dense_squared_error.png")


if __name__ == "__main__":
    main()
