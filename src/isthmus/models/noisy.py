"""What a restorer learns from where there are no clean pictures: noisy ones; and a look at what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from isthmus import checks, telling
from isthmus.fitting import evenly_spaced
from isthmus.models.photographs import LEAST, MOST, OWNER, Part, parted
from isthmus.networks.restoring import RestoringNetwork
from isthmus.training.noise import Noise, estimated
from isthmus.training.restoring import Plan, digest_of
from isthmus.training.self_supervision import Noisy, NoisyHeldOut, NoisyPairs

__all__ = ["OwnNoisy", "own_noisy"]

FLOAT32 = 4  # bytes
HARDLY = 0.02  # of the contrast of pictures: noise that is not worth learning from
ALIKE = 0.15  # correlation of what is taken away, from which noise is not white
COLOURED = 1.4  # variance at middle frequencies over that at high ones, from which noise is not white
NEARER = 0.9  # of the noise that may be left where pictures came nearer to clean ones

# Of the pictures that are taken to have the same noise: how many channels they have, which of them these are, and what
# black and white are, since pictures of other files may have others.
Kind = tuple[int, tuple[int, ...], float, float]


@dataclass(frozen=True)
class OwnNoisy:
    """Noisy pictures to learn from.

    Parameters
    ----------
    pictures : list of Noisy
        Colours together, or each band by itself.
    noise : list of Noise
        One for each kind of them.
    held_out : NoisyHeldOut
        Others, or some of them where none was held out.
    digest : str
        Of all of them.
    records, held_out_records : int
        How many were learned from and held out.
    """

    pictures: list[Noisy]
    noise: list[Noise]
    held_out: NoisyHeldOut
    digest: str
    records: int
    held_out_records: int

    def batches(self, plan: Plan) -> NoisyPairs:
        """Return what is learned from, step by step."""
        return NoisyPairs(self.pictures, plan)

    def look(self, network: RestoringNetwork) -> tuple[dict[str, Any], list[str]]:
        """Return what is to be kept of a fitted network, and the sentences on it.

        Returns
        -------
        kept : dict
            ``noise``, for each channel: its variance is ``slope * light + offset``, where white is 1. ``check``: see
            :meth:`isthmus.training.self_supervision.NoisyHeldOut.judged`.
        sentences : list of str
        """
        found = self.held_out.judged(network)
        lines = {
            "slope": [slope for noise in self.noise for slope in noise.slope.tolist()],
            "offset": [offset for noise in self.noise for offset in noise.offset.tolist()],
        }
        return {"noise": lines, "check": found}, [checks.judged_without_clean_pictures(found), *_verdict(found)]


def _verdict(found: Mapping[str, float]) -> list[str]:
    """Return what a person has to know before the result is trusted."""
    if found["noise"] < HARDLY**2 * found["signal"]:
        return [checks.hardly_any_noise(found["noise"] ** 0.5)]
    bound = max(ALIKE, found["correlation_bound"])
    if abs(found["correlation"]) > bound or found["colour"] > COLOURED:
        return [checks.noise_is_alike(found["correlation"], found["colour"])]
    if found["error"] > NEARER * found["noise"]:
        return [checks.no_nearer_than_what_came_in(found)]
    if found["hidden_error"] > min(found["neighbours_error"], found["median_error"]):
        return [checks.no_nearer_than_neighbours()]
    return []


def own_noisy(X: Any, validation: Any, patch: int, seed: int) -> OwnNoisy:
    """Return noisy pictures to learn from, and those held out; tell what was done to them.

    Parameters
    ----------
    X : pictures
        As :class:`isthmus.Restorer` takes them.
    validation : pictures, float or None
        Held-out pictures, or the share of ``X`` to hold out; by default a tenth, one of two at least.
    patch : int
        Pixels a side of a patch.
    seed : int
        Of the drawing of held-out pictures.

    Raises
    ------
    DataError
        None is as large as a patch, or numbers are missing.
    """
    own, others = parted(OWNER, X, validation, seed, bytes_a_number=FLOAT32)
    learned = _planes(own, patch)
    if not learned:
        raise checks.pictures_too_small(OWNER, max(min(size) for size in own.pictures.data.sizes), patch, 0)
    judged = _planes(others, LEAST)
    kinds: dict[Kind, list[Tensor]] = {}
    for kind, values in learned + judged:
        kinds.setdefault(kind, []).append(values)
    noise = {kind: estimated(pictures) for kind, pictures in kinds.items()}
    pictures, apart = ([Noisy(values, noise[kind]) for kind, values in some] for some in (learned, judged))
    if not apart:
        telling.note(checks.judged_by_learned())
    judges = apart or [pictures[row] for row in evenly_spaced(np.arange(len(pictures)), MOST)]
    digest = digest_of([values.numpy() for values, _ in pictures + apart])
    return OwnNoisy(pictures, [*noise.values()], NoisyHeldOut(judges, seed), digest, len(learned), len(apart))


def _planes(part: Part, side: int) -> list[tuple[Kind, Tensor]]:
    """Return pictures, or each band of them, by kind; those with shorter sides are left out."""
    found: list[tuple[Kind, Tensor]] = []
    small = 0
    for row, limits in part.each():
        pixels, unit = part.pictures.unit(row, limits)
        for group in pixels.groups:
            if min(unit.shape[1:]) < side:
                small += 1
            else:
                found.append(((pixels.channels, group, pixels.black, pixels.white), unit[list(group)]))
    if small and found:
        telling.note(checks.small_pictures_left_out(small, side))
    return found
