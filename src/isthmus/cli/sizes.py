"""Sizes as a person writes them: 500MB, 2 GiB."""

from __future__ import annotations

import re

from isthmus.errors import ParameterError

__all__ = ["as_bytes"]

UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{letter: 1024**power for power, letter in enumerate("KMGT", 1)},  # as ulimit, docker and java have it
}
SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*")


def as_bytes(flag: str, text: str | None) -> int | None:
    """Return the bytes of a size; None where none was given.

    Parameters
    ----------
    flag : str
        Of the command line, for sentences.
    text : str or None
        A number and a unit: B, KB, MB, GB, TB (thousands), KiB, MiB, GiB, TiB or K, M, G, T (1,024); capitals or not.

    Raises
    ------
    ParameterError
        It is no such size.

    Examples
    --------
    >>> as_bytes("--memory", "500MB"), as_bytes("--memory", "1.5 GiB")
    (500000000, 1610612736)
    """
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found and found[2].upper() in UNITS else 0
    if size < 1:
        raise ParameterError(f"isthmus: {flag} must be a size with its unit, as in 500MB or 2GiB; it is {text!r}.")
    return size
