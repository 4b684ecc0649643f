"""Notations of numbers, dates, times and booleans in text cells, and how each is read.

:data:`NOTATIONS` lists them in the order in which they are tried. Cells are read only if all of them have one notation.
All work is done by Arrow's kernels on the distinct cells of a column.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PROBE", "Conventions", "Reading", "conventions_of", "first_share", "looks_typed", "plain_values", "read"]

LONGEST = 100  # characters of a number or a date
PROBE = 1000  # cells that are tried before all are: a cast that fails costs a microsecond a cell

Said = tuple[str, str]  # what was done, in the same words for all columns to which it was done, and an example or ""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a file writes what can be read in two ways.

    Parameters
    ----------
    decimal : {".", ","}, default="."
        The decimal mark.
    decimal_known : bool, default=False
        Whether somebody said so, or other columns show it; otherwise it is a guess.
    day_first : bool, default=False
        Whether 1/2/2020 is in February.
    day_first_known : bool, default=False
        As above.
    missing : collection of str or None, default=None
        Cells that mean "missing"; None for the default ones.
    quotes_are_text : bool, default=False
        Whether quotation marks tell text from numbers: some columns have them, and others do not.
    guess_text : bool, default=True
        Whether numbers with zeros in front are text, where the caller did not name the columns.
    """

    decimal: str = "."
    decimal_known: bool = False
    day_first: bool = False
    day_first_known: bool = False
    missing: Collection[str] | None = None
    quotes_are_text: bool = False
    guess_text: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """Cells as values, or None where they stay text, and what there is to say about it."""

    values: pa.Array | None
    said: tuple[Said, ...] = ()


def read(cells: pa.Array, conventions: Conventions, *, quoted: bool = False) -> Reading:
    """Read cells in the first notation that all of them have.

    Parameters
    ----------
    cells : pyarrow.Array of string
        The distinct filled cells of a column, without spaces around them.
    conventions : Conventions
        How the file writes what can be read in two ways.
    quoted : bool, default=False
        Whether they stand in quotation marks that make plain numbers text.
    """
    import pyarrow.compute as pc

    if pc.max(pc.binary_length(cells)).as_py() > LONGEST:
        return Reading(None)
    head = cells.slice(0, PROBE)
    for notation in NOTATIONS:
        if _all_match(head, notation.pattern) and _all_match(cells, notation.pattern):
            if notation.plain and quoted:
                return Reading(None, ((f"numbers in quotation marks {KEPT}", cells[0].as_py()[:40]),))
            reading = notation.read(cells, conventions)
            if reading is not None:
                return reading
    return Reading(None)


def plain_values(column: pa.ChunkedArray, conventions: Conventions) -> tuple[pa.ChunkedArray, tuple[Said, ...]] | None:
    """Return a column as numbers or dates where Arrow's own casts lose nothing: the fast way for most columns.

    None where the cells have to be looked at closely.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    head = column.slice(0, PROBE)
    filled = head.drop_null()
    first = filled.slice(0, 1).to_pylist()
    casts = {WHOLE: (pa.int64(), pa.float64()), PLAIN: (pa.float64(),), ISO_DATE: (pa.date32(),)}
    dtypes = next((dtypes for pattern, dtypes in casts.items() if first and re.search(pattern, first[0])), ())
    for dtype in dtypes:
        try:
            values = head.cast(dtype)
            values = column.cast(dtype) if len(column) > PROBE else values
        except pa.ArrowInvalid:
            continue
        if _any_match(_beginning_with(column, (" ", "0", "-0")), ODD if dtype == pa.int64() else ODD_FLOAT):
            return None
        if conventions.missing and pc.any(pc.is_in(column, value_set=pa.array(list(conventions.missing)))).as_py():
            return None
        if dtype != pa.float64():
            return values, ()
        # What Arrow casts to NaN is a missing cell, and whole numbers may be too long, or in the end be others.
        if pc.any(pc.is_nan(values)).as_py() or _all_match(filled, WHOLE) or _is_grouped(filled, conventions):
            return None
        return values, (*_doubtful(filled, conventions), *_rounded(column, values))
    return None


def looks_typed(cells: pa.Array) -> np.ndarray:
    """Return which cells look like a number, a date, a time, or true and false."""
    import pyarrow.compute as pc

    return _matches(pc.utf8_slice_codeunits(cells, 0, LONGEST + 1), [notation.pattern for notation in NOTATIONS])


def first_share(cells: pa.Array) -> tuple[str, np.ndarray] | None:
    """Return what half or more of distinct cells look like, "dates" or "numbers", and which they are."""
    import pyarrow.compute as pc

    cells = pc.utf8_slice_codeunits(cells, 0, LONGEST + 1)
    few = cells.slice(0, 20).to_pylist()
    for kind, patterns in (("dates", DATES), ("numbers", (PLAIN, WRITTEN))):
        if not any(re.search(pattern, cell) for pattern in patterns for cell in few):
            continue
        if 2 * _matches(cells.slice(0, PROBE), patterns).sum() >= min(len(cells), PROBE) > 0:
            return kind, _matches(cells, patterns)
    return None


def conventions_of(
    columns: Sequence[pa.Array],
    *,
    decimal: str | None,
    day_first: bool | None,
    missing: Collection[str] | None,
    continental: bool,
    quotes_are_text: bool,
    guess_text: bool,
) -> Conventions:
    """Return the conventions of a file: as was said, else as unambiguous columns show, else the default.

    Parameters
    ----------
    columns : sequence of pyarrow.Array of string
        The filled cells of some rows.
    decimal, day_first, missing
        As was said, or None.
    continental : bool
        Whether it has the semicolons of countries with a decimal comma, where the day is the first too.
    quotes_are_text, guess_text : bool
        As in :class:`Conventions`.
    """
    decimals, orders = set(), set()
    for cells in columns:
        if not len(cells):
            continue
        if _all_match(cells, DAY_AND_MONTH):
            orders |= _sure_orders(cells)
        elif _all_match(cells, WRITTEN) and not _all_match(cells, WHOLE):
            decimals |= {mark for mark in ".," if _any_match(cells, SURE_DECIMAL.replace("MARK", mark))}
    if decimal is None and len(decimals) == 1:
        decimal = next(iter(decimals))
    if day_first is None and len(orders) == 1:
        day_first = next(iter(orders))
    return Conventions(
        decimal or ("," if continental else "."),
        decimal is not None,
        (continental or decimal == ",") if day_first is None else day_first,
        day_first is not None,
        missing,
        quotes_are_text,
        guess_text,
    )


# --- patterns --------------------------------------------------------------------------------------------------------


KEPT = "are kept as text; as_text= (--as-text) names the columns to keep so"
ODD_FLOAT = r"^\s|^-?0[\dxX]"  # of numbers that Arrow casts, and that lose something by it
ODD = rf"{ODD_FLOAT}|^-0$"  # a whole number has no sign of zero
LEADING_ZERO = r"^[+-]?0\d"
TELEPHONE = r"^\+\d{7,}$"
WHOLE = r"^[+-]?\d+$"
PLAIN = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))$"
MINUS = "\\-\u2212"
APOSTROPHES = "'\u2019"
ISO_DATE = r"^\d{4}-\d\d-\d\d$"
GROUPED = r"^[+-]?(\d{1,3}|[1-9]\d{0,2}(\.\d{3})+)$"
IN_TWO_WAYS = "; they could be read in two ways, and decimal= (--decimal) says which mark is the decimal one"
SPACES = " \u00a0\u2009\u202f"
CURRENCY = (
    r"[A-Z]{0,2}[$€£¥₹₽₩₺₪฿₫₴₦₱]|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|CAD|AUD|NZD|BRL|MXN|ZAR|"
    r"RUB|TRY|KRW|SGD|HKD|Fr\.|Rs\.?|kr\.?|zł|Kč"
)
WRITTEN = (
    rf"^(?P<open>\()?(?P<sign>[+{MINUS}])?(?P<before>{CURRENCY})?[{SPACES}]?(?P<sign2>[+{MINUS}])?"
    rf"(?P<body>(?:\d+|\d{{1,3}}(?:[.,{APOSTROPHES}{SPACES}]\d{{2,3}})+)(?:[.,]\d*)?|[.,]\d+)(?P<power>[eE][+-]?\d+)?"
    rf"[{SPACES}]?(?P<after>{CURRENCY}|%|‰)?(?P<trail>[{MINUS}])?(?P<close>\))?$"
)
SURE_DECIMAL = r"(?:[MARK](?:\d{1,2}|\d{4,})|^\D*0[MARK]\d+)(?:[eE][+-]?\d+)?\D*$"  # no mark between thousands
CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d{1,9})?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)?"
)
AT = rf"(?P<time>(?:,? |T|, ?){CLOCK}(?P<zone> ?Z| ?UTC| ?[+-]\d{{2}}:?\d{{2}})?)?$"
LETTERS = "[A-Za-z\u00c0-\u024f]"
WEEKDAY = rf"^(?:{LETTERS}{{2,}}\.?,? )?"
DATES = (
    rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){AT}",
    rf"{WEEKDAY}(?P<first>\d{{1,2}})(?P<mark>[-/.]) ?(?P<next>\d{{1,2}})[-/.] ?(?P<year>\d{{4}}|\d{{2}}){AT}",
    rf"{WEEKDAY}(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?[ -]?(?P<name>{LETTERS}{{3,}})\.?,?[ -]?"
    rf"(?P<year>\d{{4}}|\d{{2}}){AT}",
    rf"{WEEKDAY}(?P<name>{LETTERS}{{3,}})\.?[ -](?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[ -](?P<year>\d{{4}}){AT}",
    rf"^(?P<year>\d{{4}})[ -](?P<name>{LETTERS}{{3,}})[ -](?P<day>\d{{1,2}}){AT}",
)
DAY_AND_MONTH = DATES[1]
UNITS = ("s", "us", "ns")
MONTHS = (
    "jan january januar jänner janvier janv enero ene gennaio gen januari janeiro",
    "feb february februar feber février févr fevr febrero febbraio februari fevereiro fev",
    "mar march märz mär mrz mars marzo maart mrt março",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag mei maio maj",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juillet juil julio luglio lug julho",
    "aug august août aout agosto ago augustus augusti",
    "sep sept september septembre septiembre settembre set setembro",
    "oct october oktober okt octobre octubre ottobre ott outubro out",
    "nov november novembre noviembre novembro",
    "dec december dezember dez décembre déc diciembre dic dicembre desember des dezembro",
)


def _whole(cells: pa.Array, conventions: Conventions) -> Reading | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if code := _code(cells, conventions):
        return code
    if pc.any(pc.equal(cells, "-0")).as_py():
        return None
    for dtype in (pa.int64(), pa.uint64()):
        try:
            return Reading(pc.replace_substring_regex(cells, r"^\+", "").cast(dtype))
        except pa.ArrowInvalid:
            continue
    return Reading(None, (("whole numbers of more than 64 bits are kept as text, which is exact", ""),))


def _number(cells: pa.Array, conventions: Conventions) -> Reading | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if code := _code(cells, conventions):
        return code
    if _is_grouped(cells, conventions):
        return None
    numbers = pc.replace_substring_regex(cells, r"^\+", "").cast(pa.float64())
    return Reading(numbers, (*_doubtful(cells, conventions), *_rounded(cells, numbers)))


def _code(cells: pa.Array, conventions: Conventions) -> Reading | None:
    """Return that numbers are codes, such as postcodes, and stay text; None where they are none."""
    if not conventions.guess_text:
        return None
    if _any_match(cells, LEADING_ZERO):
        return Reading(None, ((f"numbers with zeros in front {KEPT}", _first(cells, LEADING_ZERO)),))
    if _all_match(cells, TELEPHONE):
        return Reading(None, ((f"telephone numbers {KEPT}", cells[0].as_py()[:40]),))
    return None


def _boolean(cells: pa.Array, conventions: Conventions) -> Reading:
    import pyarrow.compute as pc

    return Reading(pc.equal(pc.utf8_lower(cells), "true"))


def _clock(cells: pa.Array, conventions: Conventions) -> Reading | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Arrow reads times of day from text only as a part of a date.
    stamps = pc.binary_join_element_wise("1970-01-01", _time(pc.extract_regex(cells, rf"^{CLOCK}$")), "T")
    found = _cast(stamps, *(pa.timestamp(unit) for unit in UNITS))
    if found is None or found.values is None:
        return None
    dtype = pa.time32("s") if found.values.type.unit == "s" else pa.time64(found.values.type.unit)
    iso = _all_match(cells, r"^\d\d:\d\d(:\d\d(\.\d+)?)?$")
    return Reading(found.values.cast(dtype), () if iso else (("times of day are read", cells[0].as_py()),))


def _date(pattern: str) -> Callable[[pa.Array, Conventions], Reading | None]:
    """Return what reads dates of a pattern: its groups name the parts."""

    def read(cells: pa.Array, conventions: Conventions) -> Reading | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = pc.extract_regex(cells, pattern)
        year, said_year = _year(parts.field("year"))
        month, day, said_order = _month_and_day(parts, conventions)
        said_order = said_order or ("" if _all_match(cells, ISO_DATE.rstrip("$")) else "with the year first")
        two = [pc.utf8_lpad(part, width=2, padding="0") for part in (month, day)]
        dates = pc.binary_join_element_wise(year, *two, "-")
        timed = pc.not_equal(parts.field("time"), "")
        if pc.all(timed).as_py():
            stamps, zone, said_zone = _stamps(dates, parts)
            found = _cast(stamps, *(pa.timestamp(unit, zone) for unit in UNITS))
        else:
            found, said_zone = (None if pc.any(timed).as_py() else _cast(dates, pa.date32())), ""
        if found is None or found.values is None:
            return None
        said = [part for part in (said_order, said_year, said_zone) if part]
        return Reading(found.values, (("dates are read " + ", ".join(said), cells[0].as_py()[:40]),) if said else ())

    return read


def _year(year: pa.Array) -> tuple[pa.Array, str]:
    """Return years of four digits, and what there is to say."""
    import pyarrow.compute as pc

    short = pc.equal(pc.binary_length(year), 2)
    if not pc.any(short).as_py():
        return year, ""
    century = pc.if_else(pc.greater_equal(year, "69"), "19", "20")
    long = pc.if_else(short, pc.binary_join_element_wise(century, year, ""), year)
    return long, "with years of two digits (69 to 99 as 1969 to 1999, 00 to 68 as 2000 to 2068)"


def _month_and_day(parts: pa.StructArray, conventions: Conventions) -> tuple[pa.Array, pa.Array, str]:
    """Return the numbers of month and day as text, and what there is to say."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [parts.type.field(i).name for i in range(parts.type.num_fields)]
    if "first" in names:
        return _ordered(parts, conventions)
    if "month" in names:
        return parts.field("month"), parts.field("day"), ""
    known = [(name, str(number)) for number, names in enumerate(MONTHS, 1) for name in names.split()]
    place = pc.index_in(pc.utf8_lower(parts.field("name")), value_set=pa.array([name for name, _ in known]))
    return pa.array([number for _, number in known]).take(place), parts.field("day"), "with the names of months"


def _stamps(dates: pa.Array, parts: pa.StructArray) -> tuple[pa.Array, str | None, str]:
    """Return dates and times as ISO text, their zone, and what there is to say."""
    import pyarrow.compute as pc

    stamps = pc.binary_join_element_wise(dates, _time(parts), "T")
    zone = pc.replace_substring(pc.utf8_trim_whitespace(parts.field("zone")), "UTC", "Z")
    if not pc.any(pc.not_equal(zone, "")).as_py():
        return stamps, None, ""
    said = "" if pc.all(pc.equal(zone, "Z")).as_py() else "as universal time (UTC)"
    return pc.binary_join_element_wise(stamps, zone, ""), "UTC", said


def _time(parts: pa.StructArray) -> pa.Array:
    """Return the time of day that the groups of a pattern hold, as ISO text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    half = pc.utf8_lower(pc.utf8_slice_codeunits(parts.field("half"), 0, 1))
    hour = parts.field("hour").cast(pa.int64())
    twelve = pc.subtract(hour, pc.multiply(pc.divide(hour, 12), 12))
    hour = pc.if_else(pc.equal(half, "p"), pc.add(twelve, 12), pc.if_else(pc.equal(half, "a"), twelve, hour))
    second = parts.field("second")
    second = pc.if_else(pc.equal(second, ""), "00", second)
    hour = pc.utf8_lpad(hour.cast(pa.string()), width=2, padding="0")
    time = pc.binary_join_element_wise(hour, parts.field("minute"), second, ":")
    return pc.binary_join_element_wise(time, pc.replace_substring(parts.field("fraction"), ",", "."), "")


def _cast(texts: pa.Array, *dtypes: pa.DataType | str) -> Reading | None:
    """Return ISO texts in the first of some types that holds them; None where no such date is in the calendar."""
    import pyarrow as pa

    for dtype in dtypes:
        try:
            return Reading(texts.cast(dtype))
        except pa.ArrowInvalid:
            continue
    return None


def _ordered(parts: pa.StructArray, conventions: Conventions) -> tuple[pa.Array, pa.Array, str]:
    """Return month and day of dates like 1/2/2020, told from the column as a whole, and what there is to say."""
    import pyarrow.compute as pc

    first, second = parts.field("first"), parts.field("next")
    sure, doubt = _sure_order(first, second), ""
    if sure:
        day_first = True in sure
    elif conventions.day_first_known:
        day_first = conventions.day_first
    elif pc.all(pc.equal(parts.field("mark"), ".")).as_py():
        day_first = True
    else:
        day_first = conventions.day_first
        doubt = ", though they could be read in both ways: day_first= (--day-first, --no-day-first) says which"
    said = f"with the {'day' if day_first else 'month'} first{doubt}"
    return (second, first, said) if day_first else (first, second, said)


def _sure_orders(cells: pa.Array) -> set[bool]:
    import pyarrow.compute as pc

    parts = pc.extract_regex(cells, DAY_AND_MONTH)
    return _sure_order(parts.field("first"), parts.field("next"))


def _sure_order(first: pa.Array, second: pa.Array) -> set[bool]:
    """Return whether the day is the first number of dates, where a number beyond 12 shows it; else nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    beyond = [pc.max(part.cast(pa.int64())).as_py() > 12 for part in (first, second)]
    return {beyond[0]} if any(beyond) else set()


MARKS = ((".", ","), (",", "."), (".", SPACES), (",", SPACES), (".", APOSTROPHES), (",", APOSTROPHES))
NAMES = {".": "points", ",": "commas"}


def _written(cells: pa.Array, conventions: Conventions) -> Reading | None:
    """Read numbers with a decimal comma, thousands set apart, a currency, a percent sign or a sign of their own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(cells, WRITTEN)
    units = [pc.unique(parts.field(name)) for name in ("before", "after")]
    if any(len(unit) > 1 for unit in units):
        return None
    if not pc.equal(parts.field("open"), "").equals(pc.equal(parts.field("close"), "")):
        return None
    signs = [parts.field(name) for name in ("open", "sign", "sign2", "trail")]
    minus = [pc.is_in(sign, value_set=pa.array(["(", "-", "\u2212"])) for sign in signs]
    total = pc.add(pc.add(*(m.cast(pa.int8()) for m in minus[:2])), pc.add(*(m.cast(pa.int8()) for m in minus[2:])))
    if pc.max(total).as_py() > 1:
        return None
    readings = {}
    for decimal, thousands in MARKS:
        if decimal not in readings and _fits(parts.field("body"), decimal, thousands):
            body = parts.field("body")
            for mark in thousands:
                body = pc.replace_substring(body, mark, "")
            body = pc.replace_substring(body, decimal, ".")
            sign = pc.if_else(pc.equal(total, 1), "-", "")
            readings[decimal] = pc.binary_join_element_wise(sign, body, parts.field("power"), "")
    if not readings:
        return None
    doubt = len(readings) == 2 and not readings["."].equals(readings[","])
    decimal = conventions.decimal if len(readings) == 2 else next(iter(readings))
    if conventions.decimal_known and decimal != conventions.decimal and not _all_match(parts.field("body"), r"^\d+$"):
        return None
    number = readings[decimal]
    plain = Reading(None)
    if _all_match(number, r"^-?\d+$"):
        plain = _whole(number, conventions) or plain
    if plain.values is None:
        numbers = number.cast(pa.float64())
        plain = Reading(numbers, _rounded(number, numbers))
    said = _what(parts, units, decimal)
    if doubt and not conventions.decimal_known:
        said += IN_TWO_WAYS
    return Reading(plain.values, ((said, cells[0].as_py()[:40]), *plain.said) if said else plain.said)


def _what(parts: pa.StructArray, units: list[pa.Array], decimal: str) -> str:
    """Say what a written number had."""
    import pyarrow.compute as pc

    found = []
    body = parts.field("body")
    commas, points = (pc.any(pc.match_substring(body, mark)).as_py() for mark in ",.")
    if (commas and decimal == ",") or (points and decimal == "."):
        found.append(f"decimal {NAMES[decimal]}")
    if (commas and decimal == ".") or (points and decimal == ","):
        found.append(f"{NAMES['.' if decimal == ',' else ',']} between thousands")
    if _any_match(body, f"[{SPACES}{APOSTROPHES}]"):
        found.append("gaps between thousands")
    found += [f"the unit {unit[0].as_py()!r}" for unit in units if unit[0].as_py()]
    if pc.any(pc.not_equal(parts.field("open"), "")).as_py():
        found.append("negative ones in brackets")
    if pc.any(pc.not_equal(parts.field("trail"), "")).as_py():
        found.append("minus signs behind")
    if any(pc.any(pc.equal(parts.field(name), "\u2212")).as_py() for name in ("sign", "sign2")):
        found.append("minus signs of typesetting")
    return f"numbers with {', '.join(found)} are read" if found else ""


def _fits(bodies: pa.Array, decimal: str, thousands: str) -> bool:
    """Return whether numbers without their signs and units all have a decimal mark and marks between thousands."""
    mark, between = f"[{decimal}]", f"[{thousands}]"
    pattern = rf"^(\d+|[1-9]\d{{0,2}}({between}\d{{2,3}})*{between}\d{{3}})?({mark}\d*)?$"
    return _all_match(bodies, pattern)


def _is_grouped(cells: pa.Array | pa.ChunkedArray, conventions: Conventions) -> bool:
    """Return whether numbers with points are whole ones with points between thousands: the decimal mark is a comma."""
    known = conventions.decimal_known and conventions.decimal == ","
    return known and _all_match(cells, GROUPED)


def _doubtful(cells: pa.Array | pa.ChunkedArray, conventions: Conventions) -> tuple[Said, ...]:
    """Say that the points of numbers, read as decimal ones, may stand between thousands: where commas are decimal."""
    if conventions.decimal_known or conventions.decimal == "." or not _all_match(cells, GROUPED):
        return ()
    return ((f"numbers with decimal points are read{IN_TWO_WAYS}", cells[0].as_py()),)


def _rounded(cells: pa.Array | pa.ChunkedArray, numbers: pa.Array | pa.ChunkedArray) -> tuple[Said, ...]:
    """Say that numbers have more digits than 64 bits hold: more than 17, or a whole number beyond 2^53."""
    import pyarrow.compute as pc

    long = pc.greater_equal(pc.binary_length(cells), 16)
    if not pc.any(long).as_py():
        return ()
    cells, numbers = cells.filter(long), numbers.filter(long)
    whole = pc.and_(pc.greater_equal(pc.abs(numbers), 2.0**53), pc.match_substring_regex(cells, WHOLE))
    lost = pc.or_(whole, pc.match_substring_regex(cells, r"^[+-]?[0.]*[1-9]\.?(\d\.?){17}"))
    if not pc.any(lost).as_py():
        return ()
    example = cells.filter(lost)[0].as_py()
    return (("numbers of more than 17 digits, or whole and beyond 2^53, are rounded", example[:40]),)


@dataclass(frozen=True, slots=True)
class Notation:
    """A way to write values: what a whole cell looks like, and what reads the cells of a column that all look so.

    Parameters
    ----------
    pattern : str
        Regular expression, read alike by RE2 and by Python.
    read : callable
        Takes distinct cells and the conventions of the file; returns None where they are no such values after all.
    plain : bool
        Whether text may happen to look so: in quotation marks it is text.
    """

    pattern: str
    read: Callable[[pa.Array, Conventions], Reading | None]
    plain: bool = False


NOTATIONS = (
    Notation(WHOLE, _whole, plain=True),
    Notation(PLAIN, _number, plain=True),
    Notation(r"(?i)^(true|false)$", _boolean, plain=True),
    Notation(rf"^{CLOCK}$", _clock),
    *(Notation(pattern, _date(pattern)) for pattern in DATES),
    Notation(WRITTEN, _written),
)


def _beginning_with(column: pa.ChunkedArray, marks: Sequence[str]) -> pa.ChunkedArray:
    """Return the cells that begin with one of some marks; of a short column all, which is as fast to match."""
    import pyarrow.compute as pc

    if len(column) <= PROBE:
        return column
    found = functools.reduce(pc.or_, [pc.starts_with(column, mark) for mark in marks])
    return column.filter(found) if pc.any(found).as_py() else column.slice(0, 0)


def _matches(cells: pa.Array, patterns: Sequence[str]) -> np.ndarray:
    """Return which cells match one of some patterns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = np.zeros(len(cells), bool)
    for pattern in patterns:
        rest = np.flatnonzero(~found)
        if len(rest):
            matches = pc.match_substring_regex(cells.take(pa.array(rest)), pattern)
            found[rest] = np.asarray(pc.fill_null(matches, False))
    return found


def _first(cells: pa.Array, pattern: str) -> str:
    """Return the first cell that matches a pattern, cut to what a sentence can hold."""
    import pyarrow.compute as pc

    return str(cells.filter(pc.match_substring_regex(cells, pattern))[0].as_py())[:40]


def _all_match(cells: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    import pyarrow.compute as pc

    # Most often the first cell settles it, by a pattern compiled once: Arrow compiles one at each call.
    if not len(cells) or not re.search(pattern, cells[0].as_py()):
        return not len(cells)
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def _any_match(cells: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    import pyarrow.compute as pc

    return len(cells) > 0 and bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
