"""Numbers formatted for people; shared by the page and the terminal."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["counted", "duration", "interval", "megapixels", "number", "per", "percent", "shape"]

ABSENT = "–"


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with so many significant digits, thousands parted; a dash where there is none.

    Examples
    --------
    >>> number(1234567.0), number(3.14159), number(0.000012), number(0), number(None)
    ('1,234,567', '3.142', '1.200e-05', '0', '–')
    """
    if value is None:
        return ABSENT
    if value == 0 or (isinstance(value, int) and abs(value) < 10**12):
        return f"{value:,.0f}"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - size)}f}"


def interval(found: dict[str, Any] | None) -> str:
    """Return the ends of an interval with the decimals of its mean, or nothing.

    Examples
    --------
    >>> interval({"mean": 12.34567, "low": 11.9, "high": 12.8})
    '11.90 to 12.80'
    """
    if not found or found["low"] is None or found["high"] is None:
        return ""
    shown = number(found["mean"])
    if "e" in shown:
        return f"{number(found['low'])} to {number(found['high'])}"
    decimals = len(shown.partition(".")[2])
    return f"{found['low']:,.{decimals}f} to {found['high']:,.{decimals}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as percent.

    Examples
    --------
    >>> percent(0.0678)
    '6.8 %'
    """
    return ABSENT if share is None else f"{100.0 * share:.{digits}f} %"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that fits.

    Examples
    --------
    >>> duration(0.31), duration(75), duration(7325)
    ('0.31 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shape(sides: list[int | None]) -> str:
    """Return a record's shape; a side that differs is "any".

    Examples
    --------
    >>> shape([28, 28]), shape([None, None, 3])
    ('28 × 28', 'any × any × 3')
    """
    return " × ".join("any" if side is None else str(side) for side in sides)


def counted(n: int, what: str) -> str:
    """Return a number of things, as in "1 epoch" and "2 epochs"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def megapixels(size: float) -> str:
    """Return the size of a picture, with two digits of a small one; of a tiny one the pixels.

    Examples
    --------
    >>> megapixels(1e-6), megapixels(0.0123), megapixels(0.393216), megapixels(24.16)
    ('1 pixel', '0.012 megapixels', '0.39 megapixels', '24.2 megapixels')
    """
    if size < 0.001:
        pixels = round(1e6 * size)
        return "1 pixel" if pixels == 1 else f"{pixels} pixels"
    return f"{size:,.1f} megapixels" if size >= 10 else f"{size:.2g} megapixels"


def per(unit: str) -> str:
    """Return a unit of which something is counted, as in "bits a byte" and "bits an item"."""
    return f"{'an' if unit[0] in 'aeiou' else 'a'} {unit}"
