"""A deep autoencoder, 784-128-64-32-64-128-784.

Corrects a tutorial that chose the best epoch on the test set, which makes the test error too small, and that called the
code a picture of lower resolution. The code is 32 numbers, and none of them is a pixel. The tutorial's formula was
the squared error, and its program used cross-entropy. Here the loss is cross-entropy, as the Bernoulli likelihood, and
the squared error is only reported.

Type
    python examples/deep.py

and see the effect of depth: the same code of 32 numbers and the same objective, with and without the layers between. A
tenth of the training pictures is held out to choose the epoch; the test pictures are used once, at the end.
"""

from __future__ import annotations

from common import arguments, baselines, code_size, gallery, pictures, table

from isthmus import Autoencoder


def main() -> None:
    """Train the shallow and the deep network, and compare."""
    options = arguments(__doc__, epochs=20)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(32, train)
    common = {"latent_dim": size, "likelihood": "bernoulli", "max_epochs": options.epochs, "random_state": 0}

    shallow = Autoencoder(hidden=(), **common).fit(train)
    deep = Autoencoder(hidden=(128, 64), **common).fit(train)
    found = baselines(train, test, size)
    found[f"{pixels}-{size}"] = shallow.reconstruct(test)
    found[f"{pixels}-128-64-{size}"] = deep.reconstruct(test)

    table(test, found)
    how = deep.provenance_
    print(f"Kept: the weights of epoch {how['best_epoch']} of {how['epochs']}, the best of all on")
    print(f"{how['held_out_records']:,} training pictures that were set aside.\n")
    gallery(test, found, options.output / "deep.png")


if __name__ == "__main__":
    main()
