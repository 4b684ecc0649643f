"""A vector-quantised autoencoder: a picture as a few codebook indices, and new pictures from new indices.

Corrects tutorials that call a code of 32 numbers a compressed picture. As 32-bit floats these are 1,024 bits, often
more than the compressed picture has. Here each index names an entry of a learned codebook that stands for a part of the
picture (van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017), so bits can be
counted. A prior learns the probabilities of sequences of indices: probable sequences take fewer bits, and new sequences
can be drawn.

Type
    python examples/vector_quantised.py

and see bits and error side by side. The last row counts the bits for an exact copy of every pixel: those of the code,
and those of the difference to the prediction of the decoder. The picture shows new pictures, with indices from the
prior, and with uniformly drawn indices: in these the parts do not fit together.
"""

from __future__ import annotations

import math

import numpy as np
from common import arguments, code_size, halves, pictures, print_table, samples_table, sheets, squared_error, white

from isthmus import VQVAE, Autoencoder
from isthmus.report.gallery import in_pairs

ENTRIES = 256
EVENLY = 1e6  # a temperature at which all indices are equally likely


def main() -> None:
    """Count the bits of a code, and draw new ones."""
    options = arguments(__doc__, epochs=2)
    train, test = pictures(options.data)
    pixels, size = train.array[0].size, code_size(32, train)
    common = {"latent_dim": size, "max_epochs": options.epochs, "random_state": 0}
    plain = Autoencoder(**common).fit(train)
    model = VQVAE(codebook_size=ENTRIES, **common).fit(train)

    indices = model.code_indices(test)[:, :, 0]
    last = model.history_[-1]
    error = squared_error(test, model.reconstruct(test))
    rows = {
        "pixels, packed tightly": [pixels * math.log2(white(test) + 1), 0],
        f"autoencoder, {size} numbers of 32 bits": [32 * size, squared_error(test, plain.reconstruct(test))],
        f"{indices.shape[1]} indices below {ENTRIES}": [indices.shape[1] * math.log2(ENTRIES), error],
        "the same, as the prior expects them": [last["validation_prior_code"] / math.log(2), error],
        "and every pixel exactly": [-model.score(test) / math.log(2), 0],
    }
    for index in np.unique(test.labels, return_index=True)[1][:3]:
        print(f"a {test.labels[index]}, as indices: {' '.join(map(str, indices[index]))}")
    print()
    print_table(("bits a picture", "squared error"), rows)
    used = np.unique(indices).size
    print(f"Held-out pictures use {used} of {ENTRIES} entries; training ones as many as")
    print(f"{last['perplexity']:.0f} entries that were all used alike (the perplexity).\n")

    wanted = len(halves(test)[1])
    drawn = {
        "indices from the prior": model.sample(wanted, random_state=0),
        "all indices alike": model.sample(wanted, temperature=EVENLY, random_state=0),
    }
    captions = samples_table(train, test, drawn)
    shown = {"held-out, given back": in_pairs(test.array, model.reconstruct(test), columns=6)[:48]}
    shown |= {name: images[:48] for name, images in drawn.items()}
    captions = {name: f"Frechet distance {captions[name]}" for name in drawn}
    captions["held-out, given back"] = f"in pairs of rows, from {indices.shape[1]} indices"
    sheets(shown, options.output / "vector_quantised.png", columns=6, captions=captions)


if __name__ == "__main__":
    main()
