"""The control: an autoencoder on uniform noise, which nothing can compress.

Corrects a tutorial that trained on a hundred rows of independent random numbers, read no figure, and took it for a
success that the network ran. Pixels of noise say nothing about each other, so a code of 32 numbers can hold 32 of 784
pixels at best; for the other 752 there is only the mean, which costs 1/12 a pixel.

Type
    python examples/noise_control.py

and see four columns for each set of pictures. A hundred pictures of noise are few enough to be learnt by heart: the
error on them falls, and on new ones it is worse than the mean's. With ten thousand it hardly falls on either. On
digits, whose pixels do know of each other, the same network removes most of the error, and as much for new pictures.
This is what to run before believing any reconstruction: held-out pictures, beside the mean.
"""

from __future__ import annotations

import numpy as np
from common import arguments, baselines, code_size, pictures, print_table, save, squared_error, white

from isthmus import Autoencoder, data
from isthmus.report import plots

SIDE = 28


def main() -> None:
    """Train the same network on little noise, on much noise, and on digits."""
    options = arguments(__doc__, epochs=20)
    train, test = pictures(options.data)
    rng = np.random.default_rng(0)
    noise = data.open(rng.uniform(size=(10_000, SIDE, SIDE)).astype(np.float32))
    new_noise = data.open(rng.uniform(size=(1000, SIDE, SIDE)).astype(np.float32))
    sets = {
        "100 pictures of noise": (noise.subset(range(100)), new_noise),
        "10,000 pictures of noise": (noise, new_noise),
        f"{train.source}, {len(train):,} pictures": (train, test),
    }

    rows, shown = {}, []
    for name, (known, new) in sets.items():
        size = code_size(32, known)
        model = Autoencoder(
            hidden=(), latent_dim=size, likelihood="gaussian-fixed", max_epochs=options.epochs, random_state=0
        )
        # Nothing is set aside: whoever trains on a hundred records without a look at others may learn them by heart.
        model.fit(known, validation=0)
        given_back = model.reconstruct(new)
        mean, pca = (squared_error(new, one) for one in baselines(known, new, size).values())
        error = squared_error(new, given_back)
        rows[name] = [squared_error(known, model.reconstruct(known)), error, pca, mean, f"{100 * error / mean:.1f} %"]
        shown += zip(new.array[:3] / white(new), given_back[:3] / white(new), strict=True)

    print("squared error per picture of a linear autoencoder, and of what it has to beat on held-out pictures:\n")
    print_table(("trained on", "held out", "PCA", "mean", "share of the mean's"), rows)
    best = 100 * (1 - 32 / SIDE**2)
    print(f"A linear code of 32 numbers for {SIDE**2} independent ones leaves {best:.1f} % of the mean's at best.\n")
    originals, reconstructions = zip(*shown, strict=True)
    captions = [kind for kind in ("noise, 100", "noise, 10,000", "digits") for _ in range(3)]
    figure = plots.image_grid(originals, reconstructions, captions, unit="from black, 0, to white, 1")
    save(figure, options.output / "noise_control.png")


if __name__ == "__main__":
    main()
