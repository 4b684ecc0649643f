"""A convolutional autoencoder, compared with a dense one and with one without a bottleneck.

Corrects a tutorial that passed pictures of 28 x 28 to dense layers without flattening them. Such layers act on each row
of a picture separately, and the "code" had 28 x 28 numbers, as many as pixels. Its error is close to zero and means
nothing, because nothing is compressed. A dense layer needs a flattened picture; a convolutional layer does not.

Type
    python examples/convolutional.py

and look at the code size before the error. With 784 numbers the reconstruction is almost perfect. Of the two networks
with 32, the convolutional one has the smaller error and takes longer.
"""

from __future__ import annotations

import torch
from common import arguments, baselines, code_size, gallery, pictures, table
from torch import nn

from isthmus import Autoencoder


def main() -> None:
    """Train the three networks, and compare error and code size."""
    options = arguments(__doc__, epochs=4)
    train, test = pictures(options.data)
    width, size = train.schema.shape[1], code_size(32, train)
    common = {"max_epochs": options.epochs, "random_state": 0}

    torch.manual_seed(0)  # PyTorch draws the first weights of modules of our own from its global generator

    def on_rows() -> nn.Module:
        return nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, width))

    models = {
        "row by row": Autoencoder(network=(on_rows(), on_rows()), likelihood="gaussian-fixed", **common),
        "dense": Autoencoder(hidden=(128, 64), latent_dim=size, likelihood="bernoulli", **common),
        "convolutional": Autoencoder(network="convolutional", latent_dim=size, likelihood="bernoulli", **common),
    }
    found = baselines(train, test, size)
    numbers = dict(zip(found, (0, size), strict=True))
    seconds = {}
    for name, model in models.items():
        found[name] = model.fit(train).reconstruct(test)
        numbers[name] = model.transform(test).shape[1]
        seconds[name] = model.provenance_["seconds"]

    table(test, found, numbers_in_a_code=numbers, seconds_of_fit=seconds)
    gallery(test, found, options.output / "convolutional.png")


if __name__ == "__main__":
    main()
