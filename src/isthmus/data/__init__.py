"""Data in and out: open any source of records, inspect it, split it, and write it back.

Heavy libraries (Arrow, Pillow, pandas, torch) are loaded only when a source needs them.
"""

from __future__ import annotations

from isthmus.data.blocks import to_block
from isthmus.data.conforming import as_matrix, by_name, conform
from isthmus.data.inspection import Inspection, inspect
from isthmus.data.labelling import class_numbers, classes_of, is_labelled, is_missing
from isthmus.data.opening import open
from isthmus.data.public import NAMES, load
from isthmus.data.records import Data
from isthmus.data.restoring import restore
from isthmus.data.schema import Column, Schema
from isthmus.data.splitting import divide, split, without
from isthmus.data.writing import write

__all__ = [
    "NAMES",
    "Column",
    "Data",
    "Inspection",
    "Schema",
    "as_matrix",
    "by_name",
    "class_numbers",
    "classes_of",
    "conform",
    "divide",
    "inspect",
    "is_labelled",
    "is_missing",
    "load",
    "open",
    "restore",
    "split",
    "to_block",
    "without",
    "write",
]
