"""PCA and autoencoders: the error of a linear and of a deep autoencoder by code size.

Corrects tutorials that call an autoencoder better than PCA because it is non-linear, and measure neither. With squared
error, a *linear* autoencoder is at best as good as PCA: it spans the same space (Baldi and Hornik 1989). A smaller
error needs layers with an activation between them and an output that is limited to the range of a pixel. A statement
such as "half of the dimensions, and the structure is kept" is not enough: the error depends on the code size.

Type
    python examples/pca_against_autoencoder.py

and see the error for several code sizes. The linear autoencoder has the same errors as PCA; the deep one needs less
than a third of the dimensions for the same error. The picture shows codes with two dimensions: with PCA the classes
overlap, and the deep autoencoder separates many of them without having seen a label.
"""

from __future__ import annotations

import numpy as np
from common import arguments, baselines, code_size, pictures, print_table, save, squared_error
from matplotlib.figure import Figure

from isthmus import Autoencoder, metrics
from isthmus.report import plots

METHODS = ("mean picture", "PCA", "linear autoencoder", "deep autoencoder")
LOOKS = (("0.6", "-"), (plots.COLOURS[1], "-"), (plots.INK, ":"), (plots.COLOURS[0], "-"))


def main() -> None:
    """Measure all four at several sizes of the code, and draw errors and codes."""
    options = arguments(__doc__, epochs=10)
    train, test = pictures(options.data)
    common = {"max_epochs": options.epochs, "random_state": 0}
    errors: dict[int, list[float]] = {}
    codes = [metrics.principal_components(test.array.reshape(len(test), -1))[0]]
    for size in sorted({2, 4, 8, 16, code_size(32, train)}):
        linear = Autoencoder(hidden=(), latent_dim=size, likelihood="gaussian-fixed", **common).fit(train)
        deep = Autoencoder(hidden=(128, 64), latent_dim=size, activation="tanh", likelihood="bernoulli", **common)
        codes.append(deep.fit(train).transform(test))
        found = [*baselines(train, test, size).values(), linear.reconstruct(test), deep.reconstruct(test)]
        errors[size] = [squared_error(test, one) for one in found]

    print("squared error per picture, by the size of the code:\n")
    print_table(METHODS, {f"{size} numbers": row for size, row in errors.items()})
    labels = np.zeros(len(test)) if test.labels is None else test.labels
    save(draw(errors, codes[:2], labels), options.output / "pca_against_autoencoder.png")


def draw(errors: dict[int, list[float]], codes: list[np.ndarray], labels: np.ndarray) -> Figure:
    """Draw the errors by the size of the code, and codes of two numbers, 200 of each class."""
    with plots.style():
        figure = Figure(figsize=(12, 3.9), layout="constrained")
        left, *others = figure.subplots(1, 3)
        for method, values, (colour, line) in zip(METHODS, zip(*errors.values(), strict=True), LOOKS, strict=True):
            left.plot(list(errors), values, line, marker="o", markersize=4, color=colour, label=method)
        left.set_xscale("log", base=2)
        left.set_xticks(list(errors), list(errors))
        left.set(title="Error, by the size of the code", xlabel="numbers in a code", ylim=0)
        left.set_ylabel("squared error per held-out picture")
        left.legend(loc="lower left")
        for axes, points, method in zip(others, codes, (METHODS[1], METHODS[3]), strict=True):
            axes.set(title=f"Codes of two numbers, {method}", xticks=[], yticks=[])
            for index, value in enumerate(np.unique(labels)):
                x, y = points[labels == value][:200].T
                axes.scatter(x, y, s=10, alpha=0.7, linewidths=0, color=f"C{index % 10}")
                box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": f"C{index % 10}", "alpha": 0.9}
                axes.text(np.median(x), np.median(y), value, weight="bold", ha="center", va="center", bbox=box)
    return figure


if __name__ == "__main__":
    main()
