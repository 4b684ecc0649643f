"""Choice of the likelihood and its scaling from a summary of the values, before networks are built.

The choice is a function of the parameters and the fitted preprocessing alone, so a model file need not hold it: loading
makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from isthmus.checks.likelihood import check_factorised, check_likelihood_kind, check_likelihood_scaling
from isthmus.networks import Facts, Likelihood, default_likelihood, likelihood_from
from isthmus.preprocessing import Preprocessor, Summary

__all__ = ["ChosenLikelihood", "choose", "facts_of"]

GivenLikelihood = str | Mapping[str, Any] | Likelihood


@dataclass(frozen=True)
class ChosenLikelihood:
    """A likelihood, and why.

    Parameters
    ----------
    likelihood : Likelihood
        Not yet prepared for the data.
    scaling : str
        A scaling of the preprocessor, which brings records into its support.
    reason : str
        Its name and the reason, in one sentence.
    """

    likelihood: Likelihood
    scaling: str
    reason: str


def choose(
    summary: Summary,
    likelihood: GivenLikelihood = "auto",
    scaling: str = "auto",
    owner: str = "likelihood",
    *,
    marginals: bool = False,
    factorised: bool = False,
) -> ChosenLikelihood:
    """Choose likelihood and scaling from the data, or check those asked for against them.

    Parameters
    ----------
    summary : Summary
        What the values look like.
    likelihood : str, Likelihood or dict, default="auto"
        A name in :data:`isthmus.networks.LIKELIHOODS`, one of them with its options, or what its ``to_dict`` wrote.
        "auto" takes, in this order: for tables "table", for texts "autoregressive" or, where that is not possible,
        "categorical", which is also for one-hot rows, for zeros and ones
        "bernoulli", for other whole numbers with at most 65,535 steps "discretised-logistic", and otherwise "gaussian"
        with a learned scale.
    scaling : str, default="auto"
        As in :meth:`isthmus.preprocessing.Preprocessor.rescale`; "auto" takes the likelihood's own.
    owner : str
        Whom messages are about.
    marginals : bool, default=False
        Whether new records should be distributed column by column as the data are. Then "auto" takes the likelihood
        "table" for rows of numbers, too, where many records share values, and "auto" scaling is "quantile" with it:
        what is drawn of a column then has its distribution, whatever that is.
    factorised : bool, default=False
        Whether the numbers of a record must be independent given the code.

    Returns
    -------
    ChosenLikelihood

    Raises
    ------
    ParameterError
        Nobody knows the name, it is for other kinds of data, or the scaling leads out of its support.
    DataError
        The data lie outside its support; the sentence names column or channel and the range found.
    """
    if isinstance(likelihood, str) and likelihood == "auto":
        name, because = default_likelihood(summary, marginals=marginals, factorised=factorised)
        chosen, reason = likelihood_from(name), f"{name}, because {because}"
    else:
        chosen = likelihood_from(likelihood, owner)
        name = likelihood if isinstance(likelihood, str) else chosen.name
        check_likelihood_kind(owner, name, summary.kind, tuple(chosen.scaling), default_likelihood(summary)[0])
        chosen.check_support(summary, owner)
        check_factorised(owner, name, is_factorised=chosen.is_factorised or not factorised)
        reason = f"{name}, as asked"
    if scaling == "auto":
        scaling = chosen.default_scaling(summary.kind, marginals=marginals)
    fits, usual = chosen.fits_scaling(scaling, summary), chosen.default_scaling(summary.kind)
    check_likelihood_scaling(owner, chosen.name, scaling, fits=fits, needs=chosen.needs, usual=usual)
    return ChosenLikelihood(chosen, scaling, reason)


def facts_of(preprocessor: Preprocessor) -> Facts:
    """Return what a fitted and scaled preprocessor knows of the data, as likelihoods are prepared with it."""
    summary, step = preprocessor.scaled_summary(), preprocessor.step_
    return Facts(
        preprocessor.shape_,
        std=torch.as_tensor(summary.std).float(),
        low=torch.as_tensor(summary.bottom).float(),
        high=torch.as_tensor(summary.top).float(),
        step=None if step is None else torch.as_tensor(np.abs(step)).float(),
        by_column=preprocessor.factor_.size > 1 or preprocessor.scaling_ == "quantile",
        classes=preprocessor.classes_,
        fields=preprocessor.scaled_fields(),
    )
