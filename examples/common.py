"""The code that the examples share: options, pictures, and a table and a gallery for any number of methods.

An example collects its reconstructions in a dictionary from the name of a method to the reconstructed held-out
pictures. :func:`table` and :func:`gallery` show such a dictionary. New pictures are collected in the same way and shown
by :func:`samples_table` and :func:`sheets`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isthmus import data, metrics
from isthmus.data import Data
from isthmus.errors import UnavailableError
from isthmus.report import plots
from isthmus.report.gallery import titled_sheets
from isthmus.tasks import feature_network

Pictures = NDArray[Any]  # (n, height, width)

SETS = ("mnist", "fashion-mnist", "kmnist", "digits")  # those of grey pictures


def arguments(
    description: str | None, *, epochs: float, sets: Sequence[str] = SETS, about: str = "pictures; mnist"
) -> argparse.Namespace:
    """Read the options that every example has; ``epochs`` is what --epochs is when it is left out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=sets, help=f"{about} where its files are at hand, else {sets[-1]}")
    parser.add_argument("--epochs", type=float, default=epochs, help="passes over the training data (%(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "output", help="folder of the files it writes"
    )
    return parser.parse_args()


def pictures(name: str | None) -> tuple[Data, Data]:
    """Return training and held-out pictures, and say which they are.

    Without a name these are MNIST's, or scikit-learn's 8 x 8 digits where the files of MNIST are not on this machine.
    """
    try:
        train, test = _load(name or "mnist")
    except UnavailableError as error:
        if name is not None:
            raise
        print(f"{error} Going on with digits.\n")
        train, test = _load("digits")
    height, width = train.schema.shape
    print(f"{train.source}: {len(train):,} pictures to learn from, {len(test):,} held out, {height} x {width} pixels\n")
    return train, test


def _load(name: str) -> tuple[Data, Data]:
    if name == "digits":  # has no test part of its own
        return data.split(data.load(name), (0.8, 0.2))
    return data.load(name, "train"), data.load(name, "test")


def code_size(wanted: int, pictures: Data) -> int:
    """Return the numbers wanted in a code, but a quarter of the pixels at most: else little is left to squeeze."""
    return min(wanted, math.prod(pictures.schema.shape) // 4)


def white(pictures: Data) -> float:
    """Return the value of a white pixel, by which errors are put on a scale from 0 to 1: 255 in MNIST, 16 in digits."""
    return float(pictures.array.max())


def baselines(train: Data, test: Data, size: int) -> dict[str, Pictures]:
    """Return the held-out pictures as the mean picture and as PCA with a code of ``size`` numbers give them back."""
    rows, held_out = (part.array.reshape(len(part), -1) for part in (train, test))
    found = {
        "mean picture": metrics.mean_baseline(rows, held_out),
        f"PCA, {size} numbers": metrics.pca_baseline(rows, held_out, size),
    }
    return {name: baseline.reconstruction.reshape(test.array.shape) for name, baseline in found.items()}


def squared_error(test: Data, found: Pictures) -> float:
    """Return the squared error per picture: summed over its pixels on a scale from 0 to 1, averaged over pictures.

    Models return whole numbers that a pixel can have; everybody else's are brought into the same range first.
    """
    inside = np.clip(found, 0, white(test))
    return float(metrics.squared_error(test.array, inside).mean()) / white(test) ** 2


def table(test: Data, found: Mapping[str, Pictures], **columns: Mapping[str, float]) -> None:
    """Print the squared error of each method, its share of what the mean picture costs, and further columns."""
    errors = {name: squared_error(test, one) for name, one in found.items()}
    mean = errors["mean picture"]
    heads = ("squared error per picture", "share of the mean's", *(name.replace("_", " ") for name in columns))
    rows = {
        name: [error, f"{100 * error / mean:.1f} %", *(column.get(name, "") for column in columns.values())]
        for name, error in errors.items()
    }
    print_table(heads, rows)


def pixel_gaussian(train: Data, n: int) -> Pictures:
    """Return pictures drawn from one Gaussian of all pixels: what a model of pictures has to beat."""
    rows = train.array.reshape(len(train), -1).astype(np.float64)
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(rows.mean(axis=0), np.cov(rows, rowvar=False), n, method="eigh")
    return np.clip(drawn.round(), 0, white(train)).reshape(n, *train.schema.shape).astype(train.array.dtype)


def halves(test: Data) -> tuple[Data, Data]:
    """Return two halves of the held-out pictures: new ones are compared with the first, and so is the second."""
    rows = np.random.default_rng(0).permutation(len(test))
    return test.subset(np.sort(rows[: len(test) // 2])), test.subset(np.sort(rows[len(test) // 2 :]))


def samples_table(
    train: Data, test: Data, drawn: Mapping[str, Pictures], **columns: Mapping[str, float | str]
) -> dict[str, str]:
    """Print how like, how good and how diverse new pictures are, beside real ones and a Gaussian of the pixels.

    Pictures are compared by the features of a small classifier of the training pictures. All sets are as large as a
    half of the held-out pictures, so that no figure has an advantage.

    Returns
    -------
    dict of str to str
        The Frechet distance of each set, for captions.
    """
    network = feature_network(train)
    reference, others = halves(test)
    size = len(others)
    found = {"held-out pictures": others.array, "Gaussian of the pixels": pixel_gaussian(train, size)} | dict(drawn)
    real = network.features(reference.array)
    rows, captions = {}, {}
    for name, images in found.items():
        features = network.features(images[:size])
        distance, near = metrics.frechet_interval(real, features), metrics.density_coverage(real, features)
        captions[name] = f"{distance.mean:.2f} ± {(distance.high - distance.low) / 2:.2f}"
        shares = (f"{near.density.mean:.2f}", f"{near.coverage.mean:.2f}")
        rows[name] = [captions[name], *shares, *(column.get(name, "") for column in columns.values())]
    heads = ("Frechet distance", "density", "coverage", *(name.replace("_", " ") for name in columns))
    print(f"{size:,} new pictures of each, beside {len(reference):,} real ones; features: {network.label}\n")
    print_table(heads, rows)
    return captions


def print_table(heads: Sequence[str], rows: Mapping[str, Sequence[float | str]]) -> None:
    """Print rows under heads, numbers to the right."""
    lines = [["", *heads], *([name, *map(_cell, row)] for name, row in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, (name, *cells) in enumerate(lines):
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *padded]).rstrip())
        if number == 0:
            print("-" * (sum(widths) + 2 * len(cells)))
    print()


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def gallery(test: Data, found: Mapping[str, Pictures], path: Path, *, original: str = "held-out picture") -> None:
    """Draw one held-out picture of each class, and under it what each method makes of it."""
    labels = np.arange(len(test)) if test.labels is None else test.labels
    chosen = np.unique(labels, return_index=True)[1][:10]
    rows = {original: test.array} | dict(found)
    with plots.style():
        height, width = test.array.shape[1:]
        figure = Figure(figsize=(9.4, 0.2 + 0.74 * height / width * len(rows)), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
        for axes, (name, images) in zip(figure.subplots(len(rows), len(chosen)), rows.items(), strict=True):
            for panel, image in zip(axes, images[chosen], strict=True):
                panel.imshow(image, cmap="gray", vmin=0, vmax=white(test), interpolation="none")
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_visible(False)
            error = "" if images is test.array else f"\nerror {_cell(squared_error(test, images))}"
            axes[0].set_ylabel(name + error, rotation=0, ha="right", va="center", labelpad=8)
    save(figure, path)


def sheets(
    panels: Mapping[str, Pictures], path: Path, *, columns: int, captions: Mapping[str, str], rows: Sequence[str] = ()
) -> None:
    """Draw sheets of new pictures beside each other, each with its title and a caption."""
    save(titled_sheets(panels, columns=columns, captions=captions, rows=rows), path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")
    print(f"Picture: {path}")
