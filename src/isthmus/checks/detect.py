"""Error messages about outlier detection."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks.parameters import number
from isthmus.errors import DataError, ParameterError

__all__ = [
    "codes_are_finite",
    "contamination",
    "nothing_to_calibrate_on",
    "one_source_of_normal_records",
]


def contamination(owner: str, value: Any) -> None:
    """Refuse a share of outliers that is neither "auto" nor above 0 and at most one half."""
    if isinstance(value, str) and value == "auto":
        return
    if isinstance(value, str):
        raise ParameterError(
            f"{owner}: contamination must be 'auto' or a number above 0 and at most 0.5; it is {value!r}."
        )
    number(owner, "contamination", value, low=0, high=0.5, above=True)


def a_share(owner: str, flag: str, text: str) -> Any:
    """Return a share that a person typed: "auto", or a number."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise ParameterError(f"{owner}: {flag} must be auto or a number, such as 0.05; it is {text!r}.") from None


def codes_are_finite(owner: str, codes: NDArray[Any]) -> None:
    """Refuse codes that are no numbers."""
    wrong = np.flatnonzero(~np.isfinite(codes).all(axis=1))
    if len(wrong):
        raise DataError(
            f"{owner}: the model's codes must be finite numbers; that of record {wrong[0]} is not. Fit the model anew."
        )


def nothing_to_calibrate_on(owner: str, rows: int) -> None:
    """Refuse p-values where every record was learned from."""
    if not rows:
        raise DataError(
            f"{owner}: p-values need records that the model has not learned from, and there are none; fit on more "
            f"records with calibration above 0, or on others than those of the model's own fit."
        )


def one_source_of_normal_records(owner: str, reference: str | None, *, learned: bool) -> None:
    """Refuse records to learn from beside a detector that has learned already."""
    if reference is not None and learned:
        raise ParameterError(
            f"{owner}: --reference names records to learn from, and the file of --model is a Detector, which has "
            f"learned already; leave one of them out."
        )
