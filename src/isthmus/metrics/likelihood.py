"""Likelihood of held-out records under a latent variable model, and KL terms of its code.

Bounds come from functions that a model supplies (``log_weights``, ``parts``); posteriors come as the means and log
variances of diagonal Gaussians, a row a record. All figures are in nats and one number a record, so that
:func:`isthmus.metrics.bootstrap_interval` gives their intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.checks.metrics import check_log_weights, check_per_record, check_posterior, check_unit_range
from isthmus.checks.parameters import integer
from isthmus.metrics.bootstrap import Interval, bootstrap_interval
from isthmus.metrics.chance import own_generator, own_seed

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    LogWeights = Callable[[Tensor, int, torch.Generator], Tensor]
    """``log_weights(x, k, rng)``: records (b, ...) to log w of k posterior samples each, shape (k, b)."""

    Parts = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
    """``parts(x, rng)``: records (b, ...) to log p(x | z) for one z of q(z | x) and KL(q || p), both of shape (b,)."""

__all__ = [
    "EvidenceLowerBound",
    "ImportanceWeightedBound",
    "PosteriorInformation",
    "bits_per_dimension",
    "dynamic_binarisation",
    "evidence_lower_bound",
    "importance_weighted_bound",
    "kl_per_unit",
    "mutual_information",
    "nats_per_record",
    "static_binarisation",
]

Float64 = NDArray[np.float64]

_RECORDS = 128
"""Records that are looked at together."""

_BLOCK_VALUES = 1 << 22
"""Values that are held in float64 at a time (32 MiB)."""


# ------------------------------------------------------------------ bounds


@dataclass(frozen=True, slots=True, eq=False)
class ImportanceWeightedBound:
    """Lower bounds on log p(x) from importance samples.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
        The importance-weighted bound of every record, nats.
    elbo : ndarray of float64, shape (n,)
        The mean log weight of the same samples: the evidence lower bound, nats; never above ``value``.
    effective_samples : ndarray of float64, shape (n,)
        ``(sum w)^2 / sum w^2``, from 1, one sample carries all the weight and the bound is loose, to ``n_samples``.
    n_samples : int
        Importance samples a record, K.
    """

    value: Float64
    elbo: Float64
    effective_samples: Float64
    n_samples: int


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceLowerBound:
    """The evidence lower bound of every record and its two parts, in nats.

    Parameters
    ----------
    reconstruction : ndarray of float64, shape (n,)
        ``E_q [log p(x | z)]``; higher is better.
    kl : ndarray of float64, shape (n,)
        ``KL(q(z | x) || p(z))``: what the code costs.
    """

    reconstruction: Float64
    kl: Float64

    @property
    def value(self) -> Float64:
        """Return the bound, ``reconstruction - kl``, shape (n,)."""
        return self.reconstruction - self.kl


def importance_weighted_bound(
    log_weights: LogWeights, x: Tensor, n_samples: int = 5000, *, rows: int = 4096, random_state: int = 0
) -> ImportanceWeightedBound:
    """Return Burda et al. 2016, equation 8: ``L_K = E[log 1/K sum_k w_k]``, ``w_k = p(x, z_k) / q(z_k | x)``.

    The bound rises with K and reaches log p(x) as K grows (their theorem 1), the sooner the nearer q is to the true
    posterior. Sums stream through memory, so K costs time and no memory. Compare models at one K only.

    Parameters
    ----------
    log_weights : callable
        ``log_weights(x, k, rng)`` returns ``log p(x, z) - log q(z | x)`` of k samples of q for each of b records,
        shape (k, b), in nats. ``rng`` is a ``torch.Generator`` on the device of ``x``.
    x : Tensor, shape (n, ...)
        Records as ``log_weights`` takes them.
    n_samples : int, default=5000
        Importance samples a record, K.
    rows : int, default=4096
        Pairs of record and sample that ``log_weights`` is asked for at once: what a call may hold in memory.
    random_state : int, default=0
        Seed of ``rng``.

    Returns
    -------
    ImportanceWeightedBound
        One number a record.

    Raises
    ------
    ParameterError
        ``n_samples`` or ``rows`` is no whole number of at least 1.
    ShapeError, DataError
        The log weights have another shape, or are NaN or infinite.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.

    Examples
    --------
    Weights that are all the same give their logarithm, whatever K:

    >>> import torch
    >>> bound = importance_weighted_bound(lambda x, k, rng: x.expand(k, -1), torch.tensor([-3.0, -1.0]), 100)
    >>> bound.value.round(6)
    array([-3., -1.])
    """
    import torch

    owner = "importance_weighted_bound"
    integer(owner, "n_samples", n_samples, low=1)
    integer(owner, "rows", rows, low=1)
    rng = torch.Generator(x.device).manual_seed(own_seed(random_state, owner))
    value, elbo, effective = np.empty(len(x)), np.empty(len(x)), np.empty(len(x))
    records = min(_RECORDS, rows)
    with torch.no_grad():
        for start in range(0, len(x), records):
            part = x[start : start + records]
            stop = start + len(part)
            sums = _weight_sums(owner, log_weights, part, n_samples, rows // len(part), rng, start)
            once, twice, elbo[start:stop] = (total.cpu().numpy() for total in sums)
            value[start:stop] = once - math.log(n_samples)
            with np.errstate(invalid="ignore"):  # where all weights are zero, no sample counts
                effective[start:stop] = np.nan_to_num(np.exp(2.0 * once - twice))
    return ImportanceWeightedBound(value, elbo, effective, n_samples)


def _weight_sums(
    owner: str, log_weights: LogWeights, x: Tensor, n_samples: int, at_once: int, rng: torch.Generator, first: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log sum w, log sum w^2 and the mean of log w over the samples, each (b,)."""
    import torch

    nothing = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)
    once, twice, total = nothing, nothing, torch.zeros_like(nothing)
    for done in range(0, n_samples, at_once):
        k = min(at_once, n_samples - done)
        log_w = log_weights(x, k, rng).double()  # (k, b)
        bad = (torch.isnan(log_w) | (log_w == math.inf)).nonzero()
        check_log_weights(owner, log_w.shape, (k, len(x)), first + int(bad[0, -1]) if len(bad) else None)
        once = torch.logaddexp(once, log_w.logsumexp(0))
        twice = torch.logaddexp(twice, (2.0 * log_w).logsumexp(0))
        total = total + log_w.sum(0)
    return once, twice, total / n_samples


def evidence_lower_bound(parts: Parts, x: Tensor, n_samples: int = 1, *, random_state: int = 0) -> EvidenceLowerBound:
    """Return Kingma & Welling 2014, equation 3: ``E_q [log p(x | z)] - KL(q(z | x) || p(z))``, part by part.

    Parameters
    ----------
    parts : callable
        ``parts(x, rng)`` returns ``log p(x | z)`` for one z drawn from q(z | x) and the divergence of q from the prior,
        both of shape (b,), in nats. ``rng`` is a ``torch.Generator`` on the device of ``x``.
    x : Tensor, shape (n, ...)
        Records as ``parts`` takes them.
    n_samples : int, default=1
        How often z is drawn for each record; both parts are averaged.
    random_state : int, default=0
        Seed of ``rng``.

    Returns
    -------
    EvidenceLowerBound
        One number a record and part.

    Raises
    ------
    ParameterError
        ``n_samples`` is no whole number of at least 1.
    ShapeError
        A part is not one number a record.

    References
    ----------
    D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> bound = evidence_lower_bound(lambda x, rng: (-x, 0.5 * x), torch.tensor([2.0, 4.0]))
    >>> bound.value
    array([-3., -6.])
    """
    import torch

    owner = "evidence_lower_bound"
    integer(owner, "n_samples", n_samples, low=1)
    rng = torch.Generator(x.device).manual_seed(own_seed(random_state, owner))
    reconstruction, kl = np.zeros(len(x)), np.zeros(len(x))
    with torch.no_grad():
        for start in range(0, len(x), _RECORDS):
            part = x[start : start + _RECORDS]
            for _ in range(n_samples):
                log_likelihood, divergence = parts(part, rng)
                check_per_record(owner, "reconstruction", log_likelihood.shape, len(part))
                check_per_record(owner, "KL divergence", divergence.shape, len(part))
                reconstruction[start : start + len(part)] += log_likelihood.double().cpu().numpy() / n_samples
                kl[start : start + len(part)] += divergence.double().cpu().numpy() / n_samples
    return EvidenceLowerBound(reconstruction, kl)


# ------------------------------------------------------------------ units


def bits_per_dimension(log_likelihood: ArrayLike, dimensions: ArrayLike) -> Float64:
    """Return ``-log_likelihood / (dimensions log 2)``: bits per number of a record in an ideal code.

    Only the log-probability of whole numbers (such as 8-bit grey levels) is a length of code. A log-density depends on
    the units of the data, and so do the bits that come of it.

    Parameters
    ----------
    log_likelihood : array-like
        Nats a record; higher is better.
    dimensions : array-like, broadcastable to it
        Numbers in a record: height x width x channels of a picture.

    Returns
    -------
    ndarray of float64
        Bits per dimension; lower is better.

    Raises
    ------
    ParameterError
        A number of dimensions is below 1.

    Examples
    --------
    >>> bits_per_dimension(-784.0 * np.log(256.0), 784).round(6)
    np.float64(8.0)
    """
    return np.asarray(log_likelihood, np.float64) / (-math.log(2.0) * _dimensions("bits_per_dimension", dimensions))


def nats_per_record(bits: ArrayLike, dimensions: ArrayLike) -> Float64:
    """Return ``-bits dimensions log 2``, the log-likelihood in nats a record: the inverse of bits per dimension.

    Parameters
    ----------
    bits : array-like
        Bits per dimension.
    dimensions : array-like, broadcastable to it
        Numbers in a record.

    Returns
    -------
    ndarray of float64
        Nats a record; higher is better.

    Raises
    ------
    ParameterError
        A number of dimensions is below 1.

    Examples
    --------
    >>> bits_per_dimension(nats_per_record(3.5, 3072), 3072).round(6)
    np.float64(3.5)
    """
    return np.asarray(bits, np.float64) * (-math.log(2.0) * _dimensions("nats_per_record", dimensions))


def _dimensions(owner: str, dimensions: ArrayLike) -> Float64:
    d = np.asarray(dimensions, np.float64)
    integer(owner, "dimensions", int(d.min()) if d.size else 0, low=1)
    return d


# ------------------------------------------------------------------ binarisation


def static_binarisation(images: ArrayLike, *, random_state: int = 0) -> NDArray[np.uint8]:
    """Return pictures of zeros and ones, drawn once: each pixel is 1 with its grey level as the chance.

    The protocol of Salakhutdinov & Murray 2008, whose draw of MNIST (Larochelle's files) is the standard one; another
    seed is another data set of the same law, on which figures differ by some tenths of a nat. Figures for dynamic
    binarisation are about two nats better and no comparison.

    Parameters
    ----------
    images : array-like, shape (n, ...)
        Grey levels in [0, 1].
    random_state : int, default=0
        Seed. The first pictures of a set come out the same whatever follows them.

    Returns
    -------
    ndarray of uint8, shape (n, ...)
        Zeros and ones.

    Raises
    ------
    DataError
        A value lies outside [0, 1].

    References
    ----------
    R. Salakhutdinov and I. Murray, "On the quantitative analysis of deep belief networks", ICML 2008.

    Examples
    --------
    >>> static_binarisation([[0.0, 1.0, 1.0]])
    array([[0, 1, 1]], dtype=uint8)
    """
    x = np.asarray(images)
    if x.size:
        check_unit_range("static_binarisation", float(x.min()), float(x.max()))
    generator = own_generator(random_state, "static_binarisation")
    result = np.empty(x.shape, np.uint8)
    for part in _blocks(len(x), int(np.prod(x.shape[1:]))):
        result[part] = generator.random(x[part].shape, np.float32) < x[part]
    return result


def dynamic_binarisation(images: Tensor, rng: torch.Generator) -> Tensor:
    """Return pictures of zeros and ones, drawn anew at every call: for training, one call a batch.

    Parameters
    ----------
    images : Tensor, shape (n, ...)
        Grey levels in [0, 1].
    rng : torch.Generator
        Where chance comes from, on the device of the pictures.

    Returns
    -------
    Tensor, shape (n, ...)
        Zeros and ones, of the pictures' type.

    Raises
    ------
    DataError
        A value lies outside [0, 1].

    Examples
    --------
    >>> import torch
    >>> dynamic_binarisation(torch.tensor([0.0, 1.0]), torch.Generator().manual_seed(0))
    tensor([0., 1.])
    """
    import torch

    if images.numel():
        low, high = torch.aminmax(images)
        check_unit_range("dynamic_binarisation", float(low), float(high))
    return torch.bernoulli(images, generator=rng)


# ------------------------------------------------------------------ codes


@dataclass(frozen=True, slots=True)
class PosteriorInformation:
    """Mutual information of code and record, and KL of the aggregated posterior to the prior, in nats a record.

    ``kl = mutual_information.mean + marginal_kl``.

    Parameters
    ----------
    mutual_information : Interval
        Between code and record; at most ``limit``.
    marginal_kl : float
        ``KL(q(z) || p(z))``: what a better prior would save. Samples from a prior far from q(z) are poor however good
        reconstructions are.
    kl : float
        Mean of ``KL(q(z | x) || p(z))``, the divergence in the evidence lower bound.
    limit : float
        ``log n``: so many records cannot show more information.
    """

    mutual_information: Interval
    marginal_kl: float
    kl: float
    limit: float


def kl_per_unit(mean: ArrayLike, log_variance: ArrayLike) -> Float64:
    """Return ``KL(q(z_u | x) || N(0, 1))`` of each unit, averaged over records: Kingma & Welling 2014, appendix B.

    ``1/2 (mu^2 + sigma^2 - 1 - log sigma^2)``. A unit near 0 carries no information: it has collapsed to the prior.
    :func:`isthmus.metrics.active_units` of the means is the standard count.

    Parameters
    ----------
    mean, log_variance : array-like, shape (n, units)
        Of the posteriors.

    Returns
    -------
    ndarray of float64, shape (units,)
        Nats a record; they sum to the divergence in the evidence lower bound.

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one shape.

    References
    ----------
    D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.

    Examples
    --------
    >>> kl_per_unit([[0.0, 2.0], [0.0, -2.0]], np.zeros((2, 2)))
    array([0., 2.])
    """
    mu, log_var = _posterior("kl_per_unit", mean, log_variance)
    return np.asarray(0.5 * (mu**2 + np.exp(log_var) - 1.0 - log_var).mean(axis=0))


def mutual_information(
    mean: ArrayLike, log_variance: ArrayLike, *, max_records: int = 10_000, level: float = 0.95, random_state: int = 0
) -> PosteriorInformation:
    """Return the mutual information of code and record under the posteriors: Hoffman & Johnson 2016.

    ``I(x; z) = E_x E_{q(z | x)} [log q(z | x) - log q(z)]`` with ``q(z) = 1/n sum_m q(z | x_m)``, the aggregated
    posterior of the records used. One code is drawn for each record, and log q(z) is the exact log-sum-exp over all
    records. As a figure for these n records it has no bias. As one for all records of their kind it is too low, the
    more so the nearer it comes to ``limit`` = log n.

    Parameters
    ----------
    mean, log_variance : array-like, shape (n, units)
        Of the posteriors.
    max_records : int, default=10000
        A random subset of so many records is used where there are more; time grows with its square.
    level : float, default=0.95
        Confidence level of the interval over records.
    random_state : int, default=0
        Seed of codes, subset and interval.

    Returns
    -------
    PosteriorInformation
        The information, and how far the aggregated posterior is from the prior N(0, I).

    Raises
    ------
    ShapeError, DataError
        The two are not finite matrices of one shape.
    ParameterError
        ``max_records`` is no whole number of at least 1, or ``level`` is not allowed.

    References
    ----------
    M. D. Hoffman and M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower bound",
    NIPS 2016 workshop on advances in approximate Bayesian inference.

    Examples
    --------
    Two records with codes far apart tell which of the two it is, which is log 2 nats:

    >>> found = mutual_information([[-9.0], [9.0]], [[0.0], [0.0]])
    >>> round(found.mutual_information.mean, 3)
    0.693
    """
    integer("mutual_information", "max_records", max_records, low=1)
    mu, log_var = _posterior("mutual_information", mean, log_variance)
    generator = own_generator(random_state, "mutual_information")
    if len(mu) > max_records:
        chosen = np.sort(generator.choice(len(mu), max_records, replace=False))
        mu, log_var = mu[chosen], log_var[chosen]
    z = mu + np.exp(0.5 * log_var) * generator.standard_normal(mu.shape)
    gain = _log_ratio_to_aggregate(z, mu, log_var)
    found = bootstrap_interval(gain, level=level, random_state=random_state)
    kl = float(kl_per_unit(mu, log_var).sum())
    return PosteriorInformation(found, kl - found.mean, kl, math.log(len(mu)))


def _log_ratio_to_aggregate(z: Float64, mean: Float64, log_variance: Float64) -> Float64:
    """Return log q(z_i | x_i) - log q(z_i) for one code of each record, shape (n,)."""
    n, units = mean.shape
    precision = np.exp(-log_variance)
    # log q(z | x_m) = -1/2 [sum z^2 / s^2 - 2 z mu / s^2] + c_m: two matrix products, and no array (n, n, units).
    constant = -0.5 * (precision * mean**2 + log_variance).sum(axis=1) - 0.5 * units * math.log(2.0 * math.pi)
    right = np.concatenate([-0.5 * precision, precision * mean], axis=1).T
    gain = np.empty(n)
    for part in _blocks(n, n):
        log_q = np.concatenate([z[part] ** 2, z[part]], axis=1) @ right + constant  # (b, n)
        own = log_q[np.arange(len(log_q)), np.arange(n)[part]]
        largest = log_q.max(axis=1)
        log_sum = largest + np.log(np.exp(log_q - largest[:, np.newaxis]).sum(axis=1))
        gain[part] = own - (log_sum - math.log(n))
    return gain


def _posterior(owner: str, mean: ArrayLike, log_variance: ArrayLike) -> tuple[Float64, Float64]:
    mu, log_var = np.asarray(mean, np.float64), np.asarray(log_variance, np.float64)
    check_posterior(owner, mu, log_var)
    return mu, log_var


def _blocks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of rows so that a block of them holds a bounded number of values."""
    rows = max(1, _BLOCK_VALUES // max(width, 1))
    for start in range(0, n, rows):
        yield slice(start, start + rows)
