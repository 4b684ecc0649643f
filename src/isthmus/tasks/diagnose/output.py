"""Checks of reconstructions, compared with PCA, and of new records, compared with real ones."""

from __future__ import annotations

import math

import numpy as np

from isthmus import metrics
from isthmus.capabilities import has_prior
from isthmus.metrics.neighbours import nearest, nearest_others
from isthmus.tasks.diagnose.examination import MIN_RECORDS, Examination, Float64, as_many
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent

__all__ = [
    "is_collapsed",
    "missing_variety",
    "poor_samples",
    "prior_over_fitted",
    "unseen_much_worse",
    "worse_than_pca",
]

# Where both lose a tenth of the variance, a linear method of the same size is as good as it needs to be.
LOSES = 0.1
CLEARLY = 1.25  # times PCA's error: less is what another penalty, or another loss than the squared error, costs
HARDLY = 0.2  # of the share that a kind has among real records: of 400 new ones, chance leaves so few in none
# Of the real records, those of kinds hardly drawn: healthy runs miss 0.18 at most (24 kinds of models, 3 seeds),
# collapsed ones 0.63 or more.
MISSING = 0.4
# Real records with a new one among their five nearest neighbours: 0.97 for a perfect model (Naeem et al. 2020), 0.1 at
# least for healthy ones after twenty epochs, 0 where weights were jumbled.
COVERED = 0.05
WORSE_UNSEEN = 2.5  # times the error of records trained on


def worse_than_pca(examined: Examination) -> Finding | None:
    """Find a linear method of the same size that gives more back."""
    if has_prior(examined.model):
        raise NotKnownError("a model with a prior of codes pays for precise ones: PCA does not")
    if not examined.is_number.all():
        raise NotKnownError("PCA has no categories")
    size = examined.numbers_used
    if examined.share_lost <= LOSES or size >= examined.max_components:
        return None
    own = np.square(examined.reconstruction - examined.x).sum(axis=1)
    linear = examined.linear(size)
    found = metrics.bootstrap_interval(own - CLEARLY * linear, random_state=examined.random_state)
    if found.low <= 0:
        return None
    ratio = float(own.sum() / linear.sum())
    return Finding(
        "worse-than-pca",
        0.58,
        f"The error is {ratio:.2g} times that of PCA with as many components ({size}): a linear method, without "
        f"training, is better.",
        {"ratio": ratio, "code_size": size, "share_lost": examined.share_lost, "records": len(own)},
        "Train longer, weaken penalties and noise, or take PCA: see docs, No better than PCA.",
        {"max_epochs": None} if examined.asked("max_epochs") else {},
    )


def unseen_much_worse(examined: Examination) -> Finding | None:
    """Find records that were trained on come back far better than others."""
    if not examined.has_unseen or len(examined.x) < MIN_RECORDS:
        raise NotKnownError("it needs records of the fit and others")
    seen = examined.seen.subset(np.arange(0, len(examined.seen), max(1, len(examined.seen) // len(examined.x))))
    records = examined.model.encoded(seen)
    errors = np.square(examined.reconstructed(records) - records.one_hot).sum(axis=1)
    ratio = float(np.square(examined.reconstruction - examined.x).sum(axis=1).mean() / max(errors.mean(), 1e-12))
    if ratio <= WORSE_UNSEEN or examined.share_lost <= LOSES:
        return None
    return Finding(
        "over-fitting",
        0.67,
        f"Records that the model has not seen come back with {ratio:.2g} times the error of those trained on: it "
        f"memorised these.",
        {"ratio": ratio, "share_lost": examined.share_lost, "records": len(examined.x)},
        "Get more records, or regularise: smaller hidden, dropout, weight_decay, augment for pictures.",
        {"dropout": 0.2} if not examined.parameters.get("dropout") else {"hidden": (32,)},
    )


def missing_variety(examined: Examination) -> Finding | None:
    """Find new records of a few kinds: bins of real ones, as of Richardson and Weiss, "On GANs and GMMs", 2018."""
    shares, new_shares = examined.kinds
    hardly = new_shares < HARDLY * shares
    missing = float(shares[hardly].sum())
    real = examined.seen_x if examined.has_unseen else examined.x
    if missing <= MISSING or not _are_alike(examined.samples, real, examined.random_state):
        return None
    usual = {name: examined.default(name) for name in ("loss", "learning_rate") if examined.asked(name) is not None}
    prior = {"prior": "mixture"} if examined.parameters.get("prior") == "normal" else {}
    return Finding(
        "mode-collapse",
        0.76,
        f"Of {len(shares)} kinds of records (clusters of k-means) the model hardly ever draws {int(hardly.sum())}, "
        f"which hold {percent(missing)} of the real ones: the variety of the others is lost.",
        {
            "kinds": len(shares),
            "kinds_missing": int(hardly.sum()),
            "share_missing": missing,
            "variance_ratio": float(examined.samples.var(axis=0).sum() / real.var(axis=0).sum()),
        },
        f"Look at them with isthmus sample; train longer, "
        f"{'with the default loss and rate' if examined.is_game else 'or take a learned prior'}.",
        usual if examined.is_game else prior,
    )


def is_collapsed(examined: Examination) -> bool:
    """Whether new records are known to be of a few kinds."""
    try:
        return missing_variety(examined) is not None
    except NotKnownError:
        return False


def _are_alike(new: Float64, real: Float64, seed: int) -> bool:
    """Whether new records lie closer to one another than to as many real ones: noise does not."""
    real, new = as_many(real, new, seed)
    return bool(np.median(nearest_others(new, 1)) <= np.median(nearest(new, real)[0]))


def poor_samples(examined: Examination) -> Finding | None:
    """Find new records that lie where no real ones are."""
    if len(examined.x) < 5 * MIN_RECORDS:
        raise NotKnownError("it needs a hundred records")
    found = metrics.density_coverage(examined.x, examined.samples, random_state=examined.random_state)
    if found.coverage.mean >= COVERED:
        return None
    return Finding(
        "samples-unlike-records",
        0.6,
        f"Only {percent(found.coverage.mean)} of the records have a new one nearby: what the model draws lies where "
        f"there are no records.",
        {"coverage": found.coverage.mean, "density": found.density.mean, "drawn": len(examined.samples)},
        "Draw with temperature below 1, train longer, or take a learned prior.",
        {"prior": "mixture"} if examined.parameters.get("prior") == "normal" else {},
    )


def prior_over_fitted(examined: Examination) -> Finding | None:
    """Find a prior of tokens that knows the codes trained on, and no others."""
    indices = examined.code_indices
    prior = getattr(examined.model.module_, "prior", None)
    if prior is None or not examined.has_unseen:
        raise NotKnownError("it needs a prior of tokens, records of the fit and others")
    import torch

    def nats(of: np.ndarray) -> float:
        device = next(prior.parameters()).device
        with torch.inference_mode():
            each = prior.log_prob(torch.from_numpy(of.reshape(len(of), -1)).to(device))
        return float(-each.double().mean().cpu()) / of[0].size

    unseen, seen = nats(indices), nats(np.asarray(examined.model.code_indices(examined.seen)))
    even = math.log(int(prior.codebook_size))
    if unseen <= even:
        return None
    return Finding(
        "prior-over-fitted",
        0.63,
        f"The prior of tokens gives {seen:.2g} nats a token to the records trained on and {unseen:.2g} to others, "
        f"more than the {even:.2g} of no prior at all: it has memorised the codes it was trained on.",
        {"nats_seen": seen, "nats_unseen": unseen, "nats_without_prior": even},
        "Take fewer entries, or more records; or fewer epochs.",
        {"codebook_size": max(2, int(examined.parameters["codebook_size"]) // 8)},
    )
