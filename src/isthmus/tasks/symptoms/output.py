"""Checks of what comes out: reconstructions beside a linear method, and new records beside real ones."""

from __future__ import annotations

import math

import numpy as np
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin_min

from isthmus import metrics
from isthmus.tasks.symptoms.case import FEWEST, Case, Float64
from isthmus.tasks.symptoms.finding import Finding, NotKnownError, percent

__all__ = [
    "memorised_records",
    "missing_variety",
    "poor_samples",
    "prior_over_fitted",
    "share_nearer_to_seen",
    "unseen_much_worse",
    "worse_than_pca",
]

# Where both lose a tenth of the variance, a linear method of the same size is as good as it needs to be.
LOSES = 0.1
CLEARLY = 1.25  # times PCA's error: less is what another penalty, or another loss than the squared error, costs
# Variance of new records, of that of real ones.
LITTLE_VARIETY = 0.25
# Real records with a new one among their five nearest neighbours: 0.97 for a perfect model (Naeem et al. 2020).
COVERED = 0.05
# A new record is nearer to one trained on than to one held out with a chance of a half if it is a copy of neither.
NEARER, SURE = 0.7, 1e-4
WORSE_UNSEEN = 2.5  # times the error of records trained on


def worse_than_pca(case: Case) -> Finding | None:
    """Find a linear method of the same size that gives more back."""
    if getattr(case.model, "has_prior", False):
        raise NotKnownError("a model with a prior of codes pays for precise ones: PCA does not")
    if not case.rows.is_number.all():
        raise NotKnownError("PCA has no categories")
    size = case.numbers_used
    if case.share_lost <= LOSES or size >= case.most_components:
        return None
    own = np.square(case.reconstruction - case.x).sum(axis=1)
    linear = case.linear(size)
    found = metrics.bootstrap_interval(own - CLEARLY * linear, random_state=case.random_state)
    if found.low <= 0:
        return None
    ratio = float(own.sum() / linear.sum())
    return Finding(
        "worse-than-pca",
        0.58,
        f"The error is {ratio:.2g} times that of PCA with as many components ({size}): a linear method, without "
        f"training, is better.",
        {"ratio": ratio, "code_size": size, "share_lost": case.share_lost, "records": len(own)},
        "Train longer, weaken penalties and noise, or take PCA: see docs, No better than PCA.",
        {"max_epochs": None} if case.asked("max_epochs") else {},
    )


def unseen_much_worse(case: Case) -> Finding | None:
    """Find records that were trained on come back far better than others."""
    if not case.has_unseen or len(case.x) < FEWEST:
        raise NotKnownError("it needs records of the fit and others")
    seen = case.seen.subset(np.arange(0, len(case.seen), max(1, len(case.seen) // len(case.x))))
    x = case.matrix(seen)
    errors = np.square(case.drawn(case.model.reconstruct(seen)) - x).sum(axis=1)
    ratio = float(np.square(case.reconstruction - case.x).sum(axis=1).mean() / max(errors.mean(), 1e-12))
    if ratio <= WORSE_UNSEEN or case.share_lost <= LOSES:
        return None
    return Finding(
        "over-fitting",
        0.67,
        f"Records that the model has not seen come back with {ratio:.2g} times the error of those trained on: it "
        f"learned these by heart.",
        {"ratio": ratio, "share_lost": case.share_lost, "records": len(case.x)},
        "Get more records, or hold the network back: smaller hidden, dropout, weight_decay, augment for pictures.",
        {"dropout": 0.2} if not case.parameters.get("dropout") else {"hidden": (32,)},
    )


def missing_variety(case: Case) -> Finding | None:
    """Find new records that are all alike."""
    real = float(case.x.var(axis=0).sum())
    new = float(case.samples.var(axis=0).sum())
    if real == 0 or new / real >= LITTLE_VARIETY:
        return None
    return Finding(
        "mode-collapse",
        0.76,
        f"New records vary by {percent(new / real)} of what real ones do: the model draws a few kinds of them over "
        f"and over.",
        {"variance_ratio": new / real, "drawn": len(case.samples)},
        "Look at them with isthmus sample; train longer, or let the prior go where the codes are.",
        {"prior": "mixture"} if "prior" in case.parameters else {},
    )


def poor_samples(case: Case) -> Finding | None:
    """Find new records that lie where no real ones are."""
    if len(case.x) < 5 * FEWEST:
        raise NotKnownError("it needs a hundred records")
    found = metrics.density_coverage(case.x, case.samples, random_state=case.random_state)
    if found.coverage.mean >= COVERED:
        return None
    return Finding(
        "samples-unlike-records",
        0.6,
        f"Only {percent(found.coverage.mean)} of the records have a new one nearby: what the model draws lies where "
        f"there are no records.",
        {"coverage": found.coverage.mean, "density": found.density.mean, "drawn": len(case.samples)},
        "Draw with temperature below 1, train longer, or take a model or a prior that follows the codes.",
        {"prior": "mixture"} if case.parameters.get("prior") == "normal" else {},
    )


def memorised_records(case: Case) -> Finding | None:
    """Find new records that are copies of those trained on."""
    share = share_nearer_to_seen(case)
    chance = math.erfc((share - 0.5) * math.sqrt(2 * len(case.samples))) / 2
    if share <= NEARER or chance > SURE:
        return None
    found = metrics.memorisation(case.samples, case.seen_x, case.x, random_state=case.random_state)
    return Finding(
        "memorisation",
        0.77,
        f"{percent(share)} of new records are nearer to one trained on than to any of as many held out, where half "
        f"would be: the model gives back records that it learned by heart.",
        {"share_nearer": share, "copies": found.copies, "ratio": found.ratio.mean, "p_value": found.p_value},
        "Get more records, a smaller network, or stop earlier; do not publish such samples of private data.",
        {"dropout": 0.2},
    )


def share_nearer_to_seen(case: Case) -> float:
    """Return the share of new records nearer to one trained on than to any of as many held out: a half, by chance."""
    if not case.has_unseen or len(case.x) < FEWEST:
        raise NotKnownError("it needs records of the fit and others")
    known, other = _as_many(case.seen_x, case.x, case.random_state)
    if _are_of_another_kind(other, known):
        raise NotKnownError("the records are unlike those of the fit, so new ones are farther from them in any case")
    return float((_nearest(case.samples, known) < _nearest(case.samples, other)).mean())


def _are_of_another_kind(records: Float64, others: Float64) -> bool:
    """Whether records have their nearest neighbour among themselves far more often than among as many others.

    Of one distribution it is a half (Schilling, "Multivariate Two-Sample Tests Based on Nearest Neighbors", 1986).
    """
    distances = pairwise_distances(records)
    np.fill_diagonal(distances, np.inf)
    return bool((distances.min(axis=1) < _nearest(records, others)).mean() > NEARER)


def _as_many(seen: Float64, unseen: Float64, seed: int) -> tuple[Float64, Float64]:
    """Return as many rows of one as of the other."""
    rng = np.random.default_rng(seed)
    n = min(len(seen), len(unseen))
    one, other = (rows[np.sort(rng.choice(len(rows), n, replace=False))] for rows in (seen, unseen))
    return one, other


def _nearest(queries: Float64, references: Float64) -> Float64:
    """Return the distance of every query from its nearest reference, (n,)."""
    return np.asarray(pairwise_distances_argmin_min(queries, references)[1])


def prior_over_fitted(case: Case) -> Finding | None:
    """Find a prior of tokens that knows the codes trained on, and no others."""
    numbers = case.numbers
    prior = getattr(case.model.module_, "prior", None)
    if prior is None or not case.has_unseen:
        raise NotKnownError("it needs a prior of tokens, records of the fit and others")
    import torch

    def nats(of: np.ndarray) -> float:
        device = next(prior.parameters()).device
        with torch.inference_mode():
            each = prior.log_prob(torch.from_numpy(of.reshape(len(of), -1)).to(device))
        return float(-each.double().mean().cpu()) / of[0].size

    unseen, seen = nats(numbers), nats(np.asarray(case.model.code_numbers(case.seen)))
    even = math.log(int(prior.entries))
    if unseen <= even:
        return None
    return Finding(
        "prior-over-fitted",
        0.63,
        f"The prior of tokens gives {seen:.2g} nats a token to the records trained on and {unseen:.2g} to others, "
        f"more than the {even:.2g} of no prior at all: new records are pieced together from those trained on.",
        {"nats_seen": seen, "nats_unseen": unseen, "nats_without_prior": even},
        "Take fewer entries, or more records; fewer epochs, which the autoencoder may do without.",
        {"entries": max(2, int(case.parameters["entries"]) // 8)},
    )
