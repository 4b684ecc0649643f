r"""Likelihoods p(x | theta): theta is the decoder's output, -log p(x | theta) the reconstruction loss.

A decoder ends in plain numbers theta; the likelihood alone says what they mean (Kingma and Welling, "Auto-Encoding
Variational Bayes", 2014, appendix C). With r = x - theta, sums over the D numbers of a record, and logarithms in nats:

================================  ==================================================================================
Bernoulli                         log p = sum x theta - softplus(theta)
Gaussian                          log p = -sum r^2 / (2 s^2) + log s + log(2 pi) / 2
Laplace                           log p = -sum |r| / s + log(2 s)
Huber (1964, eq. 2.12)            log p = -sum rho(r / s) + log s + log Z,  rho(u) = u^2 / 2 where |u| <= d, otherwise
                                  d |u| - d^2 / 2,  Z = sqrt(2 pi) erf(d / sqrt 2) + (2 / d) exp(-d^2 / 2)
Discretised logistic              log p = sum log[sigmoid((r + step/2) / s) - sigmoid((r - step/2) / s)], where the
(Salimans et al. 2017, eq. 2)     lowest value takes the whole left tail and the highest the whole right one
Categorical                       log p = sum theta[x] - logsumexp(theta)
Mixed table                       the product: Gaussian numbers (where observed), Bernoulli masks, categories
================================  ==================================================================================

A scale s is learned with the weights (Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders",
2021, eq. 3), so no constant has to weigh the reconstruction against other terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isthmus.checks.parameters import choice
from isthmus.networks.likelihoods.autoregressive import Autoregressive
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.bernoulli import Bernoulli
from isthmus.networks.likelihoods.categorical import Categorical
from isthmus.networks.likelihoods.location_scale import Gaussian, Huber, Laplace, LocationScale
from isthmus.networks.likelihoods.logistic import DiscretisedLogistic
from isthmus.networks.likelihoods.scale import Facts, FieldLike, Scale, SummaryLike
from isthmus.networks.likelihoods.table import MixedTable

__all__ = [
    "DEFAULTS",
    "LIKELIHOODS",
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "DiscretisedLogistic",
    "Facts",
    "FieldLike",
    "Gaussian",
    "Huber",
    "Laplace",
    "Likelihood",
    "LocationScale",
    "MixedTable",
    "Scale",
    "SummaryLike",
    "default_likelihood",
    "likelihood_from",
]

LIKELIHOODS: dict[str, Callable[..., Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "gaussian-fixed": lambda: Gaussian(scale=1.0),
    "laplace": Laplace,
    "huber": Huber,
    "discretised-logistic": DiscretisedLogistic,
    "categorical": Categorical,
    "autoregressive": Autoregressive,
    "table": MixedTable,
}
# Default likelihoods: the first that suits the data is taken.
DEFAULTS: list[type[Likelihood]] = [Autoregressive, Categorical, Bernoulli, MixedTable, DiscretisedLogistic, Gaussian]


def default_likelihood(summary: SummaryLike, *, marginals: bool = False, factorised: bool = False) -> tuple[str, str]:
    """Return the name of the likelihood for data, and why it is taken.

    Parameters
    ----------
    summary : Summary
        What the values look like.
    marginals : bool, default=False
        As in :meth:`Likelihood.suits`.
    factorised : bool, default=False
        Whether the numbers of a record must be independent given theta.
    """
    for cls in DEFAULTS:
        if factorised and not cls.is_factorised:
            continue
        if summary.kind in cls.scaling and (reason := cls.suits(summary, marginals=marginals)):
            return cls.name, reason
    raise ValueError(f"no likelihood suits data of kind {summary.kind!r}")


def likelihood_from(given: str | Mapping[str, Any] | Likelihood, owner: str = "likelihood") -> Likelihood:
    """Return the likelihood of a name, of what :meth:`Likelihood.to_dict` wrote, or as it is.

    Raises
    ------
    ParameterError
        Nobody knows the name; the sentence suggests the nearest one.
    """
    if isinstance(given, Likelihood):
        return given
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = options.pop("name", None)
    choice(owner, "likelihood", name, ("auto", *LIKELIHOODS))
    return LIKELIHOODS[str(name)](**options)
