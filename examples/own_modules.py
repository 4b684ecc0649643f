"""Your own networks: 784-64-64-784, as two modules of PyTorch.

Corrects a tutorial that created its layers inside the function that runs them. They had new random weights in each
call, so the training of one step was lost before the next. It also wrapped them in a layer, which can be neither
compiled nor fitted. Layers belong in a constructor, and an estimator trains them. The ReLU on the code is left out,
because it would set latent dimensions to zero (see dense_squared_error.py).

Type
    python examples/own_modules.py

and see that new weights in each call are worse than the mean picture. The same modules, trained and kept, reach the
error of PCA and not less: all their outputs lie in the subspace that the 64 units of the last hidden layer span, and
PCA gives the best subspace. A wider layer there changes that. Any pair of modules can be used: encoder(x) returns
codes, decoder(z) returns pixels.
"""

from __future__ import annotations

import torch
from common import arguments, baselines, code_size, gallery, pictures, table, white
from torch import nn

from isthmus import Autoencoder


def modules(pixels: int, size: int, hidden: int) -> tuple[nn.Module, nn.Module]:
    """Return an encoder without and a decoder with a hidden layer."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, size))
    decoder = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, pixels))
    return encoder, decoder


def main() -> None:
    """Compare new weights, trained ones, and a wider decoder."""
    options = arguments(__doc__, epochs=10)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(64, train)
    found = baselines(train, test, size)

    torch.manual_seed(0)  # PyTorch draws the first weights of modules of our own from its global generator
    encoder, decoder = modules(pixels, size, size)
    with torch.no_grad():
        made_new = decoder(encoder(torch.tensor(test.array / white(test), dtype=torch.float32)))
    found["new at each call"] = made_new.reshape(test.array.shape).numpy() * white(test)

    for name, hidden in (("trained and kept", size), ("wider, trained", 4 * size)):
        model = Autoencoder(
            network=modules(pixels, size, hidden),
            likelihood="gaussian-fixed",  # squared error
            max_epochs=options.epochs,
            random_state=0,
        )
        found[name] = model.fit(train).reconstruct(test)

    print(f"{pixels}-{size}-{size}-{pixels}, and at last {pixels}-{size}-{4 * size}-{pixels}, squared error:\n")
    table(test, found)
    gallery(test, found, options.output / "own_modules.png")


if __name__ == "__main__":
    main()
