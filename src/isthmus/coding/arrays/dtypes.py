"""Types of items: how a file says them, and of which numbers an item consists.

A file says a type in a few bytes, from which nothing but a type can come: a form, a size, and of a structure its
fields. Whatever the type, an item is cut into *leaves*, rows of numbers of one size, which are coded as planes of
their own. Bytes between the fields of a structure belong to none, and become zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.errors import ArtifactError

__all__ = ["Leaf", "leaves", "read", "to_bytes"]

BOOL, INT, UINT, FLOAT, COMPLEX, LONG, LONG_COMPLEX, BYTES, TEXT, VOID, MOMENT, SPAN, ROW, STRUCT = range(14)
PLAIN = {"b": BOOL, "i": INT, "u": UINT, "f": FLOAT, "c": COMPLEX, "S": BYTES, "U": TEXT, "V": VOID}
LETTERS = {form: letter for letter, form in PLAIN.items()} | {LONG: "f", LONG_COMPLEX: "c", MOMENT: "M", SPAN: "m"}
SIZES = {
    BOOL: (1,),
    INT: (1, 2, 4, 8),
    UINT: (1, 2, 4, 8),
    FLOAT: (2, 4, 8),
    COMPLEX: (8, 16),
    MOMENT: (8,),
    SPAN: (8,),
}
UNITS = ("generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")
BIG = 1 << 7  # added to the form where the highest byte comes first
SIZE_LIMIT, FIELDS_LIMIT, DEPTH_LIMIT, AXES_LIMIT = 1 << 25, 1 << 12, 16, 32
LEAVES_LIMIT, COUNT_LIMIT, COUNT_OF_UNIT = 1 << 12, 1 << 22, (1 << 31) - 1
LONG_SIZES = {LONG: np.dtype(np.longdouble).itemsize, LONG_COMPLEX: np.dtype(np.clongdouble).itemsize}


# ---------------------------------------------------------------------- as a file says them


def to_bytes(dtype: np.dtype[Any]) -> bytes:
    """Return how a file says a type.

    Raises
    ------
    DataTypeError
        Its items are objects, of no fixed size, or longer than 32 MiB.
    """
    if dtype.itemsize > SIZE_LIMIT:
        raise checks.items_of_no_size(dtype)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return bytes([ROW]) + _numbers(len(shape), *shape) + to_bytes(base)
    if dtype.names is not None:
        return bytes([STRUCT]) + _fields_to_bytes(dtype)
    form = _form(dtype)
    said = bytes([form | (BIG if dtype.byteorder == ">" or (dtype.byteorder == "=" and _IS_BIG) else 0)])
    said += varint(dtype.itemsize)
    if form in (MOMENT, SPAN):
        unit, count = np.datetime_data(dtype)
        said += bytes([UNITS.index(unit)]) + varint(count)
    return said


_IS_BIG = np.dtype(np.uint16).newbyteorder("=").str[0] == ">"


def _form(dtype: np.dtype[Any]) -> int:
    if dtype.kind in "Mm":
        return MOMENT if dtype.kind == "M" else SPAN
    if dtype.hasobject or dtype.kind not in PLAIN:
        raise checks.items_of_no_size(dtype)
    form = PLAIN[dtype.kind]
    if form in (FLOAT, COMPLEX) and dtype.itemsize not in SIZES[form]:
        return LONG if form == FLOAT else LONG_COMPLEX
    return form


def _numbers(*numbers: int) -> bytes:
    return b"".join(varint(number) for number in numbers)


def _fields_to_bytes(dtype: np.dtype[Any]) -> bytes:
    names: tuple[str, ...] = dtype.names or ()
    fields: Mapping[str, Any] = dtype.fields or {}
    said = _numbers(dtype.itemsize, dtype.isalignedstruct, len(names))
    for name in names:
        inner, offset, *title = fields[name]
        if title and not isinstance(title[0], str):
            raise checks.items_of_no_size(dtype)
        said += _text(name) + (b"\1" + _text(title[0]) if title else b"\0") + varint(offset) + to_bytes(inner)
    return said


def _text(text: str) -> bytes:
    packed = text.encode("utf-8", "surrogatepass")
    return varint(len(packed)) + packed


def read(source: Source, depth: int = 0) -> np.dtype[Any]:
    """Return the type that a file says.

    Raises
    ------
    ArtifactError
        There is no such type, or not on this machine.
    """
    if depth > DEPTH_LIMIT:
        raise source.damaged("a type is too deep")
    code = source.take(1)[0]
    form, order = code & ~BIG, ">" if code & BIG else "<"
    try:
        if code == ROW:
            shape = tuple(_within(source, SIZE_LIMIT) for _ in range(_within(source, AXES_LIMIT)))
            return _of_fair_size(np.dtype((read(source, depth + 1), shape)), source)
        if code == STRUCT:
            return _of_fair_size(_read_fields(source, depth), source)
        return _read_plain(source, form, order)
    except ArtifactError:
        raise
    except (ValueError, TypeError, OverflowError) as error:  # what NumPy says of offsets that make no sense
        raise source.damaged("it has items of no type") from error


def _read_plain(source: Source, form: int, order: str) -> np.dtype[Any]:
    size = _within(source, SIZE_LIMIT)
    if form in LONG_SIZES:
        if size != LONG_SIZES[form] or (order == ">") != _IS_BIG:
            raise checks.foreign_items(source.name, size)
        return np.dtype(np.longdouble if form == LONG else np.clongdouble)
    if form not in LETTERS or size not in SIZES.get(form, (size,)) or (form == TEXT and size % 4):
        raise source.damaged("it has items of no type")
    if form in (MOMENT, SPAN):
        unit, count = UNITS[_within(source, len(UNITS) - 1)], _within(source, COUNT_OF_UNIT)
        kind = LETTERS[form] + "8"
        return np.dtype(order + kind + ("" if unit == "generic" else f"[{count}{unit}]"))
    if form == BOOL:
        return np.dtype(bool)
    return np.dtype(order + LETTERS[form] + str(size // 4 if form == TEXT else size))


def _within(source: Source, most: int) -> int:
    found = source.varint()
    if found > most:
        raise source.damaged(f"a type has {found:,} of something")
    return found


def _of_fair_size(dtype: np.dtype[Any], source: Source) -> np.dtype[Any]:
    if dtype.itemsize > SIZE_LIMIT:
        raise source.damaged("an item is too long")
    return dtype


def _read_fields(source: Source, depth: int) -> np.dtype[Any]:
    size, aligned = _within(source, SIZE_LIMIT), _within(source, 1)
    said: dict[str, list[Any]] = {"names": [], "titles": [], "offsets": [], "formats": []}
    for _ in range(_within(source, FIELDS_LIMIT)):
        said["names"].append(_read_text(source))
        said["titles"].append(_read_text(source) if _within(source, 1) else None)
        said["offsets"].append(_within(source, SIZE_LIMIT))
        said["formats"].append(read(source, depth + 1))
    return np.dtype({**said, "itemsize": size}, align=bool(aligned))  # type: ignore[call-overload]


def _read_text(source: Source) -> str:
    return source.take(_within(source, 1 << 16)).decode("utf-8", "surrogatepass")


# ---------------------------------------------------------------------- as numbers


@dataclass(frozen=True)
class Leaf:
    """Numbers of one size that an item consists of, or some of them.

    Parameters
    ----------
    kind : str
        "u", "i" or "f": what they are.
    size : int
        Bytes of one: 1, 2, 4 or 8.
    offset : int
        Of the first, in the item.
    step : int
        From one to the next.
    count : int
        How many.
    is_swapped : bool
        Whether their bytes stand the other way round than this machine's.
    """

    kind: str
    size: int
    offset: int = 0
    step: int = 0
    count: int = 1
    is_swapped: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers, in this machine's order of bytes."""
        return np.dtype(f"{self.kind}{self.size}")

    @property
    def word(self) -> np.dtype[Any]:
        """Unsigned, as wide."""
        return np.dtype(f"u{self.size}")

    def taken(self, items: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the numbers of items: (n, itemsize) -> (n, count)."""
        numbers: NDArray[Any] = np.ascontiguousarray(self._view(items))
        return (numbers.byteswap() if self.is_swapped else numbers).view(self.dtype)

    def put(self, items: NDArray[np.uint8], numbers: NDArray[Any]) -> None:
        """Put numbers into items: (n, itemsize), (n, count)."""
        words = numbers.view(self.word)
        self._view(items)[:] = words.byteswap() if self.is_swapped else words

    def parts(self) -> Iterator[Leaf]:
        """Yield leaves of no more numbers than a plane may have for each item."""
        for start in range(0, self.count, COUNT_LIMIT):
            here = self.offset + start * (self.step or self.size)
            yield replace(self, offset=here, count=min(COUNT_LIMIT, self.count - start))

    def _view(self, items: NDArray[np.uint8]) -> NDArray[Any]:
        return np.ndarray(
            (len(items), self.count), self.word, items.data, self.offset, (items.strides[0], self.step or self.size)
        )


def leaves(dtype: np.dtype[Any]) -> list[Leaf]:
    """Return what an item consists of, without what is empty; all its bytes where that would be too much."""
    found = list(islice(_leaves(dtype), LEAVES_LIMIT + 1))
    return [part for leaf in _unless_too_many(found, dtype.itemsize) for part in leaf.parts()]


def _unless_too_many(found: list[Leaf], size: int) -> list[Leaf]:
    return found if len(found) <= LEAVES_LIMIT else [Leaf("u", 1, count=size)]


def _leaves(dtype: np.dtype[Any]) -> Iterator[Leaf]:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        inner, count = list(islice(_leaves(base), LEAVES_LIMIT + 1)), int(np.prod(shape, dtype=object))
        repeated = list(islice(_repeated(inner, base.itemsize, count), LEAVES_LIMIT + 1))
        yield from _unless_too_many(repeated, base.itemsize * count)
    elif dtype.names is not None and dtype.fields is not None:
        for inner_type, offset, *_ in (dtype.fields[name] for name in dtype.names):
            for leaf in _leaves(inner_type):
                yield replace(leaf, offset=leaf.offset + offset)
    else:
        yield from _plain_leaves(dtype)


def _plain_leaves(dtype: np.dtype[Any]) -> Iterator[Leaf]:
    form, size, swapped = _form(dtype), dtype.itemsize, not dtype.isnative
    if form == COMPLEX:
        for part in range(2):
            yield Leaf("f", size // 2, part * size // 2, is_swapped=swapped)
    elif form == TEXT:
        yield Leaf("u", 4, count=size // 4, is_swapped=swapped)
    elif form in (BYTES, VOID, LONG, LONG_COMPLEX):
        yield Leaf("u", 1, count=size)
    else:
        yield Leaf({BOOL: "u", MOMENT: "i", SPAN: "i"}.get(form, dtype.kind), size, is_swapped=swapped)


def _repeated(inner: list[Leaf], size: int, count: int) -> Iterator[Leaf]:
    """Yield the leaves of so many items in a row, each of which has ``size`` bytes."""
    for leaf in inner:
        if leaf.count == 1:
            yield replace(leaf, step=size, count=count)
        elif leaf.count * (leaf.step or leaf.size) == size:  # they follow one another without a gap
            yield replace(leaf, count=leaf.count * count)
        else:
            for k in range(count):
                yield replace(leaf, offset=leaf.offset + k * size)
