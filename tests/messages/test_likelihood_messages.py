"""The sentences about likelihoods and networks, word for word."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import data, preprocessing
from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.likelihood_choice import choose
from isthmus.networks import Gaussian, Huber, build, likelihood_from

R = np.random.default_rng(0)
ROWS = R.uniform(-3, 3, size=(50, 2))
ROWS[0], ROWS[1] = -3, 3
PICTURES = R.integers(0, 256, size=(20, 4, 4)).astype(np.uint8)


def fitted(source: object, **options: object) -> preprocessing.Preprocessor:
    records = data.open(source, **options)
    return preprocessing.for_data(records).fit(records)


def refused(error: type[Exception], sentence: str, likelihood: object, source: object) -> None:
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        choose(fitted(source).summary_, likelihood, owner="Autoencoder")


def test_bernoulli_outside_its_support_names_the_column() -> None:
    refused(
        DataError,
        "Autoencoder: likelihood='bernoulli' needs values in [0, 1] (or whole numbers from 0 upwards), but column 0 "
        "has values in [-3, 3]; scale the data to [0, 1] or use likelihood='gaussian'.",
        "bernoulli",
        ROWS,
    )


def test_bernoulli_outside_its_support_names_the_channel() -> None:
    pictures = R.uniform(0, 1, size=(20, 4, 4, 3))
    pictures[0, 0, 0, 1], pictures[0, 0, 1, 1] = -0.5, 2.25
    refused(
        DataError,
        "Autoencoder: likelihood='bernoulli' needs values in [0, 1] (or whole numbers from 0 upwards), but channel 1 "
        "has values in [-0.5, 2.25]; scale the data to [0, 1] or use likelihood='gaussian'.",
        "bernoulli",
        pictures,
    )


def test_discretised_logistic_refuses_fractions() -> None:
    refused(
        DataError,
        "Autoencoder: likelihood='discretised-logistic' needs whole numbers, but there are fractions in the data, and "
        "column 0 has values in [-3.5, 3]; round the data or use likelihood='gaussian'.",
        "discretised-logistic",
        np.vstack([ROWS, [[-3.5, 0]]]),
    )


def test_discretised_logistic_refuses_long_ranges() -> None:
    refused(
        DataError,
        "Autoencoder: likelihood='discretised-logistic' counts at most 65535 steps between the lowest and the highest "
        "value, but column 1 has values in [0, 1e+06]; use likelihood='gaussian'.",
        "discretised-logistic",
        np.array([[0, 0], [1, 1_000_000], [2, 5]]),
    )


def test_categorical_refuses_rows_that_are_not_one_hot() -> None:
    refused(
        DataError,
        "Autoencoder: likelihood='categorical' needs rows with exactly one 1 and zeros elsewhere, but column 0 has "
        "values in [-3, 3]; use likelihood='auto', or give the categories as a column of a table.",
        "categorical",
        ROWS,
    )
    refused(
        DataError,
        "Autoencoder: likelihood='categorical' needs rows with exactly one 1 and zeros elsewhere, but some rows do not "
        "have that; use likelihood='auto', or give the categories as a column of a table.",
        "categorical",
        np.array([[0, 1], [1, 1], [1, 0]]),
    )


def test_likelihood_for_another_kind_of_data() -> None:
    refused(
        ParameterError,
        "Autoencoder: likelihood='table' is for data of kind table or array, and these data are of kind image; "
        "use likelihood='discretised-logistic' or 'auto'.",
        "table",
        PICTURES,
    )
    refused(
        ParameterError,
        "Autoencoder: likelihood='gaussian-fixed' is for data of kind array or image, and these data are of kind text; "
        "use likelihood='autoregressive' or 'auto'.",
        "gaussian-fixed",
        ["a text", "another"],
    )


def test_unknown_likelihood_gets_the_nearest_name() -> None:
    refused(
        ParameterError,
        "Autoencoder: likelihood must be one of 'auto', 'bernoulli', 'gaussian', 'gaussian-fixed', 'laplace', 'huber', "
        "'discretised-logistic', 'categorical', 'autoregressive', 'table'; it is 'bernouli'; did you mean 'bernoulli'?",
        "bernouli",
        ROWS,
    )


def test_scaling_outside_the_support() -> None:
    sentence = (
        "Autoencoder: likelihood='bernoulli' needs values in [0, 1], which scaling='standard' does not give; "
        "use scaling='unit' or 'auto'."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(sentence)}$"):
        choose(fitted(PICTURES).summary_, "bernoulli", "standard", "Autoencoder")
    sentence = (
        "Autoencoder: likelihood='discretised-logistic' needs evenly spaced values, which scaling='quantile' does not "
        "give; use scaling='symmetric' or 'auto'."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(sentence)}$"):
        choose(fitted(np.arange(12).reshape(6, 2)).summary_, "auto", "quantile", "Autoencoder")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Gaussian(scale=0), "Gaussian: scale must be a number above 0; it is 0."),
        (
            lambda: Gaussian(scale="learnt"),
            "Gaussian: scale must be one of 'learned'; it is 'learnt'; did you mean 'learned'?",
        ),
        (lambda: Huber(delta=-1.0), "Huber: delta must be a number above 0; it is -1.0."),
        (
            lambda: Gaussian(share="pixel"),
            "Gaussian: share must be one of 'auto', 'shared', 'feature', 'element'; it is 'pixel'.",
        ),
        (lambda: likelihood_from({"name": "huber", "delta": 0}), "Huber: delta must be a number above 0; it is 0."),
    ],
)
def test_options_of_likelihoods(make: object, sentence: str) -> None:
    with pytest.raises(ParameterError, match=f"^{re.escape(sentence)}$"):
        make()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"network": "dens"},
            "Autoencoder: network must be one of 'auto', 'dense', 'convolutional', 'residual', 'sequence'; it is "
            "'dens'; did you mean 'dense'?",
        ),
        (
            {"network": nn.Linear(4, 2)},
            "Autoencoder: network must be one of 'auto', 'dense', 'convolutional', 'residual', 'sequence' or a pair "
            "(encoder, decoder) of torch.nn.Module; it is Linear(in_features=4, out_features=2, bias=True).",
        ),
        (
            {"network": "convolutional"},
            "Autoencoder: network='convolutional' is for images, and one encoded record here has shape (4,); "
            "use network='dense' or 'auto'.",
        ),
        (
            {"network": "dense", "shape": (1, None, 4)},
            "Autoencoder: network='dense' needs images of one size, and these have several; use "
            "network='convolutional', or crop or pad them to one size when opening the data.",
        ),
        (
            {"network": "residual", "shape": (1, 8, 8), "tied": True},
            "Autoencoder: tied=True needs network='dense'; use it, or leave tied=False.",
        ),
        (
            {"theta_shape": (9,), "tied": True},
            "Autoencoder: tied=True needs a decoder whose output is as wide as the encoder's input, which texts and "
            "category columns do not have; leave tied=False.",
        ),
        ({"hidden": (128, 0)}, "Autoencoder: each width in hidden must be a whole number of at least 1; it is 0."),
        ({"latent_dim": 0}, "Autoencoder: latent_dim must be a whole number of at least 1; it is 0."),
        ({"dropout": 1.0}, "Autoencoder: dropout must be a number of at least 0 and below 1; it is 1.0."),
        ({"norm": "bacth"}, "Autoencoder: norm must be one of 'batch', 'layer'; it is 'bacth'; did you mean 'batch'?"),
    ],
)
def test_networks_that_cannot_be_built(options: dict[str, object], sentence: str) -> None:
    shape = options.pop("shape", (4,))
    arguments = {"network": "dense", "shape": shape, "theta_shape": shape, "latent_dim": 2} | options
    with pytest.raises(ParameterError, match=f"^{re.escape(sentence)}$"):
        build(**arguments, rng=torch.Generator(), owner="Autoencoder")


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            (nn.Linear(5, 2), nn.Linear(2, 4)),
            "Autoencoder: the encoder given in network fails on a batch of shape (2, 4): mat1 and mat2 shapes cannot "
            "be multiplied (2x4 and 5x2)",
        ),
        (
            (nn.Linear(4, 2), nn.Linear(2, 5)),
            "Autoencoder: the decoder given in network returns shape (5,) for one record, and the likelihood needs "
            "(4,); end the decoder in a layer of that size.",
        ),
        (
            (nn.LSTM(4, 2), nn.Linear(2, 4)),
            "Autoencoder: the encoder given in network must return one tensor with a row for each record; for a batch "
            "of shape (2, 4) it returned a tuple.",
        ),
    ],
)
def test_own_networks_that_do_not_fit(network: tuple[nn.Module, nn.Module], sentence: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(sentence)}$"):
        build(network, (4,), (4,), 2, rng=torch.Generator(), owner="Autoencoder")
