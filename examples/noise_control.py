"""The control: an autoencoder on uniform noise, which cannot be compressed.

Corrects a tutorial that trained on a hundred rows of independent random numbers and took it for a success that the
program ran. Pixels of noise are independent, so a code of 32 numbers can describe 32 of 784 pixels at most; for the
other 752 only the mean is left, with a squared error of 1/12 for each pixel.

Type
    python examples/noise_control.py

and see four columns for each set of pictures. The network memorises a hundred pictures of noise: their error falls, and
that of new ones is above the error of the mean. With ten thousand pictures, the error hardly falls on either. On
digits, whose pixels depend on each other, the same network removes most of the error, also for new pictures. Every
reconstruction should be checked like this: on held-out pictures, beside the mean.
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
