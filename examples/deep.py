"""A deep autoencoder, 784-128-64-32-64-128-784.

Corrects a tutorial that picked the best epoch on the test set, which makes the test figure too good, and called the
code a picture of lower resolution, which it is not: it is 32 numbers, of which none is a pixel. The formula was
squared error and the code cross-entropy; here it is cross-entropy, as the Bernoulli likelihood, and squared error is
only reported.

Type
    python examples/deep.py

and see what depth is worth: the same code of 32 numbers, the same objective, with and without the layers between. A
tenth of the training pictures is set aside to choose the epoch whose weights are kept; the test pictures are looked
at once, at the end.
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
