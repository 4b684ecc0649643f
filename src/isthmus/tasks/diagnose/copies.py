"""Checks of whether new records are copies of training records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isthmus.metrics.neighbours import nearest, nearest_others
from isthmus.tasks.diagnose.examination import MIN_RECORDS, Examination, Float64, as_many
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent
from isthmus.tasks.diagnose.output import is_collapsed

__all__ = ["Copying", "copying", "finding_of", "memorised_records"]

# New records nearer to one trained on than to any of as many held out: a half, of a model that copies none. Healthy
# models of 540 digits, with 60 held out, have 0.78 at most, by a chance of 10^-4.2 at least (24 kinds, 3 seeds); those
# that memorised 100 rows 0.94, by a chance of 10^-32.
NEARER = 0.85
# Share of new records identical to one trained on, from which they are copies. Of rows of a few categories, which
# repeat by chance, it says nothing: as many held-out ones are.
IDENTICAL = 0.05
SURE = 1e-6
# Of records, with their nearest among themselves and not among as many others: a half of one kind.
OF_ANOTHER_KIND = 0.7


@dataclass(frozen=True, slots=True)
class Copying:
    """How new records lie among those trained on and those held out.

    Parameters
    ----------
    share_nearer : float
        New records nearer to one of the n trained on than to any of the m held out.
    by_chance : float
        What that share would be if none were copied: n / (n + m).
    p_value : float
        The chance of it. Where two new records are nearest to the same real one, they count once: what is drawn over
        and over is near or far by chance.
    identical, held_out_identical : float
        Share of new records, and of held-out ones, identical to a record trained on.
    p_identical : float
        The chance of so many more identical ones among the new records.
    """

    share_nearer: float
    by_chance: float
    p_value: float
    identical: float
    held_out_identical: float
    p_identical: float

    @property
    def share_of_as_many(self) -> float:
        """The share nearer to a record trained on, as it would be if as many had been held out."""
        nearer, farther = self.share_nearer * (1 - self.by_chance), (1 - self.share_nearer) * self.by_chance
        return nearer / (nearer + farther)

    @property
    def are_identical(self) -> bool:
        """Whether new records are records trained on, far more often than held-out ones are."""
        return self.identical > IDENTICAL > self.held_out_identical and self.p_identical < SURE

    @property
    def are_nearer(self) -> bool:
        """Whether new records lie about those trained on, far more than about others."""
        return self.share_of_as_many > NEARER and self.p_value < SURE


def memorised_records(examined: Examination) -> Finding | None:
    """Find new records that are copies of those trained on."""
    return finding_of(examined, copying(examined))


def finding_of(examined: Examination, found: Copying) -> Finding | None:
    """Return what is wrong where new records are copies, None where they are not."""
    if found.are_identical:
        seen = (
            f"{percent(found.identical)} of new records are identical to one trained on, which "
            f"{percent(found.held_out_identical)} of those held out are"
        )
    elif is_collapsed(examined):
        raise NotKnownError("new records are of a few kinds, which are near or far by chance")
    elif found.are_nearer:
        seen = (
            f"{percent(found.share_nearer)} of new records are nearer to one trained on than to any held out, where "
            f"{percent(found.by_chance)} would be by chance"
        )
    else:
        return None
    return Finding(
        "memorisation",
        0.75,
        f"{seen}: the model copies training records.",
        {
            "share_nearer": found.share_nearer,
            "by_chance": found.by_chance,
            "p_value": found.p_value,
            "identical": found.identical,
            "held_out_identical": found.held_out_identical,
        },
        "Get more records, a smaller network, or stop earlier; do not publish such samples of private data.",
        {"dropout": 0.2},
    )


def copying(examined: Examination) -> Copying:
    """Set new records among those trained on and those held out, which chance alone told apart."""
    from scipy import stats

    if not examined.has_unseen or len(examined.x) < MIN_RECORDS:
        raise NotKnownError("it needs records of the fit and others")
    if _are_of_another_kind(examined.x, examined.seen_x, examined.random_state):
        raise NotKnownError("the records are unlike those of the fit, so new ones are farther from them in any case")
    found, m = examined.neighbours, len(examined.x)
    n = found.searched
    others, which = nearest(examined.samples, examined.x)
    nearer = found.distances < others
    neighbours = np.unique(np.where(nearer, found.indices, -1 - which))
    copied = int((neighbours >= 0).sum())
    exact, unseen_exact = found.distances == 0, found.held_out_distances == 0
    table = [[same.sum(), (~same).sum()] for same in (exact, unseen_exact)]
    return Copying(
        float(nearer.mean()),
        n / (n + m),
        float(stats.hypergeom.sf(copied - 1, n + m, n, len(neighbours))),
        float(exact.mean()),
        float(unseen_exact.mean()),
        float(stats.fisher_exact(table, alternative="greater").pvalue),
    )


def _are_of_another_kind(records: Float64, others: Float64, seed: int) -> bool:
    """Whether records have their nearest neighbour among themselves far more often than among as many others.

    Of one distribution it is a half (Schilling, "Multivariate Two-Sample Tests Based on Nearest Neighbors", 1986).
    """
    others, records = as_many(others, records, seed)
    return bool((nearest_others(records, 1) < nearest(records, others)[0]).mean() > OF_ANOTHER_KIND)
