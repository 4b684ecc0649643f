"""The files that the commands of the pictures read. Each function writes them into the working folder."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pyarrow as pa
from isthmus import data
from PIL import Image
from pyarrow import csv
from sklearn.datasets import load_digits, load_iris, load_sample_image, load_wine

PLANTED = {17: (158, 98), 203: (188, 51), 411: (151, 79)}
"""Rows of people who are short and heavy, or tall and light, with their height and weight."""


def nothing() -> None:
    """Write nothing: the commands read a set that isthmus knows by name."""


def digits() -> None:
    """Write four fifths of the digits to train on, and the others to try it with."""
    train, test = data.split(data.load("digits"), (0.8, 0.2))
    np.save("train.npy", train.array)
    np.save("test.npy", test.array)


def noisy_digits() -> None:
    """Write held-out digits of which a fifth of the pixels is black or white at random."""
    digits()
    test = np.load("test.npy")
    chance = np.random.default_rng(0).random(test.shape)
    np.save("noisy.npy", np.where(chance < 0.1, 0, np.where(chance > 0.9, 16, test)).astype(np.uint8))


def torn_digits() -> None:
    """Write held-out digits without a square of four by four pixels, and the mask of it."""
    digits()
    hole = np.zeros((8, 8), np.uint8)
    hole[2:6, 2:6] = 1
    np.save("mask.npy", hole)
    np.save("torn.npy", np.where(hole, 0, np.load("test.npy")))


def few_labels() -> None:
    """Write the labels of five digits of each class, and an empty line for every other digit."""
    labels = data.load("digits").labels
    order = np.random.default_rng(0).permutation(len(labels))
    known = np.concatenate([order[labels[order] == digit][:5] for digit in range(10)])
    lines = np.full(len(labels), "", object)
    lines[known] = labels[known].astype(str)
    Path("few.csv").write_text("\n".join(["digit", *lines]) + "\n", encoding="utf-8")


def scans() -> None:
    """Write 300 digits as a folder of pictures."""
    Path("scans").mkdir()
    for number, picture in enumerate(load_digits().images[:300]):
        Image.fromarray(picture.astype("uint8") * 15).save(f"scans/{number:03d}.png")


def wines() -> None:
    """Write the chemistry of 178 wines of three cultivars."""
    found = load_wine()
    names = [name.replace("od280/od315_of_diluted_wines", "od280/od315") for name in found.feature_names]
    columns = dict(zip(names, found.data.T, strict=True))
    csv.write_csv(pa.table(columns | {"cultivar": [f"cultivar {kind + 1}" for kind in found.target]}), "wine.csv")


def irises() -> None:
    """Write 150 irises, once whole and once with a tenth of the cells empty."""
    found = load_iris()
    names = [name.removesuffix(" (cm)") for name in found.feature_names]
    columns = dict(zip(names, found.data.T.tolist(), strict=True)) | {"kind": found.target_names[found.target].tolist()}
    csv.write_csv(pa.table(columns), "whole.csv")
    hidden = np.random.default_rng(0).random((5, 150)) < 0.1
    for (name, values), gone in zip(columns.items(), hidden, strict=True):
        columns[name] = [None if empty else value for value, empty in zip(values, gone, strict=True)]
    csv.write_csv(pa.table(columns), "flowers.csv")


def people() -> None:
    """Write height and weight of 600 made-up people, three of them planted."""
    rng = np.random.default_rng(0)
    height = rng.normal(171, 9, 600)
    weight = 22.5 * (height / 100) ** 2 * np.exp(rng.normal(0, 0.11, 600))
    for row, figures in PLANTED.items():
        height[row], weight[row] = figures
    csv.write_csv(pa.table({"height": height.round().astype(int), "weight": weight.round(1)}), "people.csv")


def python_help() -> None:
    """Write the beginning of the help on the Python language, which every Python carries."""
    Path("help.txt").write_bytes("\n\n".join(topics.values()).encode()[:100_000])


def photographs() -> None:
    """Write a photograph with noise, one with a bar missing and the mask of it, and a small one, as the page does."""
    photo = load_sample_image("china.jpg")[60:300, 120:440]
    noise = np.random.default_rng(0).normal(0, 25, photo.shape)
    Image.fromarray((photo + noise).clip(0, 255).astype("uint8")).save("noisy.png")
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[100:108, 40:280] = 255
    Image.fromarray(mask).save("mask.png")
    Image.fromarray(np.where(mask[..., None], 255, photo)).save("photo.png")
    Image.fromarray(photo).resize((80, 60)).save("small.png")
