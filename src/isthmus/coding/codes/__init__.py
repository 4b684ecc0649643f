"""Codes of a model as whole numbers, coded without loss: what is lossy happens before, in :mod:`isthmus.tasks`.

:class:`Lattice` says what the numbers are; :class:`Batch` holds those of some records; :class:`Codes` writes them as a
content of a stream. Nothing here needs the model, so the numbers are had, and checked, without it.
"""

from __future__ import annotations

from isthmus.coding.codes.batch import Batch
from isthmus.coding.codes.coding import PIECE, Codes, Described, described, payload_of
from isthmus.coding.codes.lattice import Lattice
from isthmus.coding.codes.reading import CodedRecords, opened_codes

__all__ = [
    "PIECE",
    "Batch",
    "CodedRecords",
    "Codes",
    "Described",
    "Lattice",
    "described",
    "opened_codes",
    "payload_of",
]
