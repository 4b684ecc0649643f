"""A dense autoencoder with one layer each for encoder and decoder, 784-64-784, and cross-entropy.

Corrects tutorials that show the squared error as a formula, minimise cross-entropy in the program, and treat the two as
the same. They are different objectives: here the objective is a parameter, and the table compares both. The tutorials'
data were undefined names; here the pictures come from files, and some of them are held out.

Type
    python examples/dense_cross_entropy.py

and see the effect of each part of the change. Nearly all of it is due to the sigmoid at the output, because the code
need not describe the black background; the objective adds a little. Cross-entropy is not zero for a perfect copy,
because a grey pixel has an entropy of its own. The last lines show this minimum; only the part above it can be reduced.
"""

from __future__ import annotations

import torch
from common import arguments, baselines, code_size, gallery, pictures, table, white
from scipy.special import entr
from torch import nn

from isthmus import Autoencoder


def main() -> None:
    """Train the network with each output and each objective, and compare."""
    options = arguments(__doc__, epochs=10)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(64, train)
    common = {"max_epochs": options.epochs, "random_state": 0}
    torch.manual_seed(0)  # PyTorch draws the first weights of modules of our own from its global generator
    # The sigmoid belongs to cross-entropy; only for squared error it has to be asked for, with modules of our own.
    sigmoid = nn.Sequential(nn.Flatten(), nn.Linear(pixels, size)), nn.Sequential(nn.Linear(size, pixels), nn.Sigmoid())

    models = {
        "squared error": Autoencoder(hidden=(), latent_dim=size, likelihood="gaussian-fixed", **common),
        "squared error, sigmoid": Autoencoder(network=sigmoid, likelihood="gaussian-fixed", scaling="unit", **common),
        "cross-entropy": Autoencoder(hidden=(), latent_dim=size, likelihood="bernoulli", **common),
    }
    given_back = {name: model.fit(train).reconstruct(test) for name, model in models.items()}
    found = baselines(train, test, size) | given_back
    print(f"{pixels}-{size}-{pixels}, by what was minimised:\n")
    table(test, found)

    # A score is the cross-entropy with its sign turned: in nats, summed over the pixels.
    cross_entropy = -models["cross-entropy"].score(test)
    grey = test.array / white(test)
    floor = float((entr(grey) + entr(1 - grey)).mean()) * pixels
    print(f"Cross-entropy of a held-out picture   {cross_entropy:.2f} nats, {cross_entropy / pixels:.4f} a pixel")
    print(f"Its floor, the entropy of the pixels  {floor:.2f} nats, {floor / pixels:.4f} a pixel\n")
    gallery(test, found, options.output / "dense_cross_entropy.png")


if __name__ == "__main__":
    main()
