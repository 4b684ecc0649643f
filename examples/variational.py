"""A variational autoencoder, 784-64-64-64-784, beside a plain one and one without its KL term.

Corrects a tutorial whose variational autoencoder is none. It prints the formula and leaves the KL term out of the
code, so nothing brings the codes to where samples are drawn. Its mean is the output of a ReLU and never negative; its
log-deviation is the logarithm of a number of any sign, which soon is NaN; both read the picture and no hidden layer in
between; "sample" calls a layer of the encoder and decodes nothing; and the loss is Huber's, which is no likelihood,
so there is nothing that a KL term could be added to. Here both heads are linear and read a hidden layer, the loss is
the bound on log p(x) of Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, and new pictures come from
codes that are drawn and decoded.

Type
    python examples/variational.py

and see three ways to new pictures. Without its KL term the network reconstructs nearly as well as a plain one, and
what it draws is rubbish: the codes of pictures do not lie where new codes are drawn, and the bound says so. The
variational autoencoder pays for codes that can be drawn with some of its precision. The plain one learned no
distribution; a mixture of Gaussians fitted to its codes afterwards is one, too.
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
