"""Fitted, invertible preprocessing: scaling, categories, missing values, dates, and columns that are set aside.

The imports below are the registry: names are class names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks.preprocessing import check_categories, check_missing, check_state
from isthmus.preprocessing.arrays import ArrayPreprocessor
from isthmus.preprocessing.base import MAX_TRIED_NUMBERS, Arrays, EncodedBlock, Preprocessor
from isthmus.preprocessing.differences import Differences
from isthmus.preprocessing.features import Features
from isthmus.preprocessing.images import ImagePreprocessor
from isthmus.preprocessing.scaling import SCALINGS
from isthmus.preprocessing.summary import Field, ScaledSummary, Summary
from isthmus.preprocessing.table import TablePreprocessor
from isthmus.preprocessing.text import TextPreprocessor

if TYPE_CHECKING:
    from typing import Any

    from isthmus.data import Data

__all__ = [
    "MAX_TRIED_NUMBERS",
    "SCALINGS",
    "ArrayPreprocessor",
    "Differences",
    "EncodedBlock",
    "Features",
    "Field",
    "ImagePreprocessor",
    "Preprocessor",
    "ScaledSummary",
    "Summary",
    "TablePreprocessor",
    "TextPreprocessor",
    "for_data",
    "from_state",
]

CLASSES: dict[str, type[Preprocessor]] = {
    cls.__name__: cls for cls in (ArrayPreprocessor, ImagePreprocessor, TablePreprocessor, TextPreprocessor)
}


def for_data(data: Data, *, categories: str | int = "auto", missing: str = "mask") -> Preprocessor:
    """Return the preprocessor for a kind of data, not yet fitted.

    Parameters
    ----------
    data : Data
        Only its kind is looked at.
    categories : "auto" or int, default="auto"
        How many categories of a table's column keep a code of their own; the rarer ones share one. ``"auto"`` is 256.
    missing : {"mask", "refuse"}, default="mask"
        Whether a table's missing cells are modelled (through a mask beside a number, a category of their own among
        categories) or refused with the first one named.

    Returns
    -------
    Preprocessor
        An :class:`ArrayPreprocessor`, :class:`ImagePreprocessor`, :class:`TablePreprocessor` or
        :class:`TextPreprocessor`.

    Raises
    ------
    ParameterError
        ``categories`` or ``missing`` is not allowed.
    """
    owner = "for_data"
    most = check_categories(owner, categories)
    check_missing(owner, missing)
    if data.schema.kind == "table":
        return TablePreprocessor(max_categories=most, missing=missing)
    by_kind = {cls.kind: cls for cls in CLASSES.values()}
    return by_kind[data.schema.kind]()


def from_state(name: str, document: dict[str, Any], arrays: Arrays) -> Preprocessor:
    """Return the preprocessor that ``state()`` wrote.

    Parameters
    ----------
    name : str
        Its class.
    document : dict
        The JSON part.
    arrays : dict of ndarray
        The arrays.

    Raises
    ------
    ArtifactError
        The class is unknown, or the state is incomplete or was altered.
    """
    check_state(name, CLASSES)
    return CLASSES[name].from_state(document, arrays)
