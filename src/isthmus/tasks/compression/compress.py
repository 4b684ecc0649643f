"""Records to a compressed file and back, by a fitted model of records of their kind.

The codes of a model are rounded to steps, so coarse that the rate or the quality is the one that was asked for, and the
whole numbers are coded without loss (:mod:`isthmus.coding.codes`)::

    x --encoder--> z --round--> q = whole numbers --coded--> file --decoded--> q --> z' --decoder--> x'

Whoever has the file and the model gets the same q, on any machine. What the decoder makes of them is computed in
floating point, so that a pixel may differ by one level between processors.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isthmus import artifact, checks, telling
from isthmus.capabilities import Decodes, Encodes
from isthmus.coding import contents
from isthmus.coding.codes import Batch, CodedRecords, Lattice, opened_codes
from isthmus.coding.container import Source
from isthmus.errors import ParameterError
from isthmus.tasks.compression.forms import OCTAVE, form_of
from isthmus.tasks.compression.records import LOUDEST, Records, peak_of
from isthmus.tasks.compression.refining import can_be_refined, refined
from isthmus.tasks.compression.search import last_good

__all__ = [
    "Compression",
    "compress_records",
    "compressible",
    "decompress_records",
    "fingerprint_of",
    "one_target_of",
    "rate_distortion",
    "records_of",
]

SAMPLE = 256  # records that a rate is estimated on
WORTHLESS = 0.01  # decibels that finer steps gain where there are none finer
NEAR_PSNR, NEAR_SIZE = 0.02, 0.003  # decibels, and doublings of the size, that a target is met within
DOUBLING = 20 * math.log10(2)  # decibels lost by steps twice as wide
TARGETS = ("psnr", "bpp", "size")


@dataclass(frozen=True)
class Compression:
    """What became of records.

    Parameters
    ----------
    records : int
        How many there are.
    pixels : int
        Of all pictures, or numbers of all rows.
    compressed_bytes : int
        Of the whole file.
    bpp : float
        Bits of the file for each pixel, or number.
    psnr : float
        Peak signal-to-noise ratio over all numbers of all records as they come back, in decibels; 120 where nothing
        differs.
    octaves : float
        How coarse the steps are, as log2 of the finest; 0 of codebook indices.
    """

    records: int
    pixels: int
    compressed_bytes: int
    bpp: float
    psnr: float
    octaves: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def compressible(model: Any) -> None:
    """Refuse a model that no codes of pictures or rows of numbers can be had of."""
    checks.can("compress_records", model, Encodes, Decodes)
    checks.is_fitted("compress_records", model)
    if not callable(getattr(model, "tensors", None)):
        raise checks.compresses_nothing(type(model).__name__)
    if model.schema_.kind not in ("array", "image"):
        raise checks.compresses_no_kind(type(model).__name__, model.schema_.kind)


def fingerprint_of(model: Any) -> bytes:
    """Return what names a model in the files that need it: SHA-256 of its weights and its preprocessing."""
    return bytes.fromhex(artifact.digest(model.tensors()))


@telling.tells
def compress_records(
    model: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    psnr: float | None = None,
    bpp: float | None = None,
    size: int | None = None,
    effort: int = 0,
    name: str | None = None,
    verify: bool = True,
    force: bool = False,
) -> Compression:
    """Write records to a compressed file, lossy, by a model of records of their kind.

    Just one of the three targets has to be given.

    Parameters
    ----------
    model : fitted model
        Of isthmus, of pictures or of rows of numbers; :func:`decompress_records` needs it, too.
    X : array, path, or Data
        Records of the shape and type that the model was fitted on.
    path : path
        The compressed file.
    psnr : float, optional
        Decibels that the records that come back have at least, taken over all their numbers. The peak is the range of
        the type, of floats 1 where they are in [0, 1], else the difference of the largest and the smallest.
    bpp : float, optional
        Bits for each pixel, or number, that the file has at most.
    size : int, optional
        Bytes that the file has at most.
    effort : int, default=0
        Steps of gradient descent on the code of each record (:mod:`isthmus.tasks.compression.refining`), each of which
        takes as long as three passes of the decoder. 20 gain about half a decibel at the same size, and reach more.
    name : str, optional
        Of what is compressed, kept in the file.
    verify : bool, default=True
        Whether the whole numbers are decoded again and compared.
    force : bool, default=False
        Whether an existing file may be replaced.

    Returns
    -------
    Compression

    Raises
    ------
    ParameterError
        Not one target is given; or the model cannot reach it, and the sentence says what is nearest.
    DataError
        The data cannot be used with this model.
    OutputExistsError
        The file exists and ``force`` is off.

    Notes
    -----
    A ``VQVAE`` has one rate. Its file is written if that meets the target.

    Examples
    --------
    >>> import isthmus
    >>> from isthmus.tasks import compress_records, decompress_records
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images.astype("uint8")
    >>> model = isthmus.Autoencoder(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> made = compress_records(model, X, "digits.isth", bpp=0.5)
    >>> made.bpp <= 0.5
    True
    >>> decompress_records(model, "digits.isth").shape
    (1797, 8, 8)
    """
    compressible(model)
    target, wanted = one_target_of(psnr=psnr, bpp=bpp, size=size)
    checks.integer("compress_records", "effort", effort, low=0)
    checks.output_absent(Path(path), force)
    records = Records(model, model.opened(X))
    search = _Search(records, peak_of(records.data), name)
    if effort and can_be_refined(records, search.lattice(search.finest)):
        search = search.refined(search.near(target, wanted), effort)
    made = search.psnr(wanted) if target == "psnr" else search.size(target, wanted)
    with artifact.replacing(path, force=force) as file:
        content = search.records.content(made.lattice, fingerprint_of(model))
        written = contents.write(file, content, name=name, verify=verify, label=os.fspath(path))
    return search.told(made, written)


def one_target_of(**targets: float | None) -> tuple[str, float]:
    """Return the one target that is given, and its value; refuse none, several, and one that is not above zero."""
    given = {name: value for name, value in targets.items() if value is not None}
    if len(given) != 1:
        raise checks.one_target(list(given))
    [(name, value)] = given.items()
    checks.number("compress_records", name, value, low=0, above=True)
    return name, float(value)


class _Made(NamedTuple):
    """A lattice, and what is known of what it gives."""

    lattice: Lattice
    psnr: float | None = None
    size: int | None = None


class _Search:
    """Seeks the coarsest steps, or the finest, that meet a target: on a sample first, then on all records.

    Parameters
    ----------
    records : Records
    peak : float
        Largest difference of two numbers.
    name : str, optional
        Kept in the file.
    """

    def __init__(self, records: Records, peak: float, name: str | None) -> None:
        self.records, self.peak, self.name = records, peak, name
        self._lattices = records.lattices
        self._sample = records.some(SAMPLE)
        self.finest, self.coarsest = self._ends()

    def _ends(self) -> tuple[int, int]:
        """Return between which ends there is something to choose: finer steps than the first gain nothing."""
        low, high = self._lattices.ends
        limit = self._sample.psnr(None, self.peak) - WORTHLESS
        start = high - 8 * OCTAVE
        found = last_good(
            lambda f: self._sample.psnr(self._lattices.at(f), self.peak) - limit,
            start,
            low,
            high,
            tolerance=WORTHLESS / 2,
            slope=DOUBLING / OCTAVE,
        )
        return (low if found is None else found), high

    def lattice(self, fineness: int) -> Lattice:
        """Return the lattice of a fineness."""
        return self._lattices.at(fineness)

    def refined(self, fineness: int, steps: int) -> _Search:
        """Return the search with codes that are better on the lattice of a fineness."""
        records = self.records.with_codes(refined(self.records, self.lattice(fineness), steps))
        return _Search(records, self.peak, self.name)

    def near(self, target: str, wanted: float) -> int:
        """Return the fineness that may meet a target, by a sample; the nearest where none does."""
        if target == "psnr":
            return self._with_psnr(self._sample, wanted, self.finest)[0]
        return self._with_size(self._sample, self._limit(target, wanted), self.finest)[0]

    def psnr(self, wanted: float) -> _Made:
        """Return the coarsest lattice with a quality."""
        fineness, is_met = self._with_psnr(self.records, wanted, self.near("psnr", wanted))
        if not is_met:
            raise self._unreachable("psnr", wanted, fineness)
        return _Made(self.lattice(fineness))

    def size(self, target: str, wanted: float) -> _Made:
        """Return the finest lattice with a size; ``wanted`` is in bytes, or in bits for each pixel."""
        limit = self._limit(target, wanted)
        fineness, is_met = self._with_size(self.records, limit, self.near(target, wanted))
        if not is_met:
            raise self._unreachable(target, wanted, fineness)
        return _Made(self.lattice(fineness))

    def _limit(self, target: str, wanted: float) -> float:
        return wanted if target == "size" else wanted * self.records.pixels / 8

    def _with_psnr(self, records: Records, wanted: float, start: int) -> tuple[int, bool]:
        found = last_good(
            lambda fineness: records.psnr(self.lattice(fineness), self.peak) - wanted,
            start,
            self.finest,
            self.coarsest,
            tolerance=NEAR_PSNR,
            slope=DOUBLING / OCTAVE,
        )
        return (self.finest, False) if found is None else (found, True)

    def _with_size(self, records: Records, limit: float, start: int) -> tuple[int, bool]:
        """Return the finest lattice with which all records have so many bytes, and some their share of these."""
        its = limit * len(records.data) / len(self.records.data)
        found = last_good(
            lambda coarseness: math.log2(its / records.size(self.lattice(-coarseness), self.name)),
            -start,
            -self.coarsest,
            -self.finest,
            tolerance=NEAR_SIZE,
            slope=sum(part.size for part in records.codes) / (8 * OCTAVE * its),
        )
        return (self.coarsest, False) if found is None else (-found, True)

    def _unreachable(self, target: str, wanted: float, fineness: int) -> ParameterError:
        nearest = self.measured(fineness)
        told = self.told(nearest, nearest.size or 0).to_dict()
        return checks.target_unreachable(target, wanted, told, varies=nearest.lattice.ordered)

    def measured(self, fineness: int) -> _Made:
        """Return what a lattice gives."""
        lattice = self._lattices.at(fineness)
        return _Made(lattice, self.records.psnr(lattice, self.peak), self.records.size(lattice, self.name))

    def told(self, made: _Made, written: int) -> Compression:
        """Return what became of the records in a file of so many bytes."""
        psnr = self.records.psnr(made.lattice, self.peak) if made.psnr is None else made.psnr
        octaves = (made.lattice.fineness - self.finest) / OCTAVE if made.lattice.ordered else 0.0
        count, pixels = len(self.records.data), self.records.pixels
        return Compression(count, pixels, written, 8 * written / pixels, min(psnr, LOUDEST), octaves)


@telling.tells
def rate_distortion(model: Any, X: Any, points: int = 8) -> list[Compression]:
    """Return what sizes and qualities a model reaches on records, from the finest steps to the coarsest of use.

    Parameters
    ----------
    model : fitted model
        As in :func:`compress_records`.
    X : array, path, or Data
        Records.
    points : int, default=8
        How many at most; each has steps twice as wide as the one before, or wider.

    Returns
    -------
    list of Compression
        Nothing is written; sizes are those of the files.
    """
    compressible(model)
    checks.integer("rate_distortion", "points", points, low=1)
    records = Records(model, model.opened(X))
    search = _Search(records, peak_of(records.data), None)
    count = min(points, (search.coarsest - search.finest) // OCTAVE + 1)
    found = []
    for fineness in np.linspace(search.finest, search.coarsest, count + 1).round().astype(int)[: max(count, 1)]:
        made = search.measured(int(fineness))
        found.append(search.told(made, made.size or 0))
    return found


# ------------------------------------------------------------------ back again


def decompress_records(model: Any, path: str | os.PathLike[str]) -> Any:
    """Return the records of a compressed file.

    Parameters
    ----------
    model : fitted model
        That they were compressed with.
    path : path
        What :func:`compress_records` wrote.

    Returns
    -------
    records
        In the container, types and units of the data that the model was fitted on.

    Raises
    ------
    ArtifactError
        The file is damaged, holds something else, or needs another model.
    """
    compressible(model)
    with open(path, "rb") as file:
        coded = opened_codes(Source(file, os.fspath(path)))
        if coded is None:
            raise checks.no_codes(path)
        coded.check_model(fingerprint_of(model))
        batches = list(coded.batches())
    parts = [part for batch in batches for part in batch.values]
    codes = form_of(model).flat(parts, coded.described.lattice)
    return model.inverse_transform(codes, sizes=_sizes(batches))


def records_of(model: Any, batch: Batch, coded: CodedRecords) -> Any:
    """Return the records of one batch of a file, as a block."""
    codes = form_of(model).flat(batch.values, coded.described.lattice)
    return model.decoded(codes, sizes=_sizes([batch])).block()


def _sizes(batches: Sequence[Batch]) -> list[tuple[int, ...]] | None:
    """Return heights and widths of the records, None where they are alike."""
    if batches[0].sizes is None:
        return None
    return [size[:2] for batch in batches for size in batch.sizes or ()]
