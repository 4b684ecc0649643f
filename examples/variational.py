"""A variational autoencoder, 784-64-64-64-784, compared with a plain one and with one without its KL term.

Corrects a tutorial whose program is not a variational autoencoder. It shows the formula and leaves out the KL term, so
codes need not follow the distribution from which samples are drawn. Its mean is the output of a ReLU and never
negative. Its log standard deviation is the logarithm of a number of any sign, which soon is NaN. Both are computed from
the picture without a hidden layer. "sample" calls a layer of the encoder and decodes nothing. The loss is Huber's,
which is not a likelihood, so a KL term could not be added to it. Here both outputs are linear functions of a hidden
layer, the loss is the bound on log p(x) of Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, and new
pictures are decoded from drawn codes.

Type
    python examples/variational.py

and compare three ways to draw new pictures. Without the KL term the network reconstructs nearly as well as a plain one,
and its samples are poor: the codes of pictures do not lie where new codes are drawn, and the bound shows it. The
variational autoencoder has a larger reconstruction error and better samples. The plain one has no distribution of
codes; a mixture of Gaussians is fitted to its codes afterwards.
"""

from __future__ import annotations

from common import arguments, code_size, halves, pictures, samples_table, sheets, squared_error

from isthmus import VAE, Autoencoder
from isthmus.report.gallery import in_pairs


def main() -> None:
    """Train the three networks, draw from each, and compare."""
    options = arguments(__doc__, epochs=3)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(64, train)
    common = {"hidden": (64,), "latent_dim": size, "max_epochs": options.epochs, "random_state": 0}
    models = {
        "autoencoder, mixture": Autoencoder(**common),
        "no KL, as printed": VAE(beta=0, **common),
        "VAE": VAE(**common),
    }
    wanted = len(halves(test)[1])
    drawn, error, bound = {}, {}, {}
    for name, model in models.items():
        drawn[name] = model.fit(train).sample(wanted, random_state=0)
        error[name] = squared_error(test, model.reconstruct(test))
        if isinstance(model, VAE):  # the scores of a plain autoencoder are no bound on log p(x)
            bound[name] = f"{model.score(test):.1f}"

    print(f"{pixels}-64-{size}-64-{pixels}; the bound is on log p(x) of a held-out picture, in nats:\n")
    captions = samples_table(train, test, drawn, squared_error=error, bound=bound)
    shown = {"held-out, given back": in_pairs(test.array, models["VAE"].reconstruct(test), columns=6)[:48]}
    shown |= {name: images[:48] for name, images in drawn.items()}
    captions = {name: f"new; Frechet distance {captions[name]}" for name in drawn}
    captions["held-out, given back"] = "in pairs of rows, by the VAE"
    sheets(shown, options.output / "variational.png", columns=6, captions=captions)


if __name__ == "__main__":
    main()
