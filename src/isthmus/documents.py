"""JSON documents checked against type annotations.

A file is written by ``save`` and may come from anywhere. Checksums prove that it is complete, not that it is valid.
So whatever is read from a document goes through :func:`read`, and every array through :func:`array`; what follows may
rely on types, lengths and finite numbers.

What a file holds of an object is its state: a document, and arrays by name (:class:`Stateful`). An object that has
others inside puts their documents into its own, and their arrays under a name (:func:`prefixed`, :func:`under`).
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NotRequired, Protocol, Self, TypeVar, Union

import numpy as np

from isthmus.errors import ArtifactError

__all__ = [
    "State",
    "Stateful",
    "array",
    "check_finite",
    "hints",
    "is_number_type",
    "prefixed",
    "read",
    "under",
]

T = TypeVar("T")  # arrays or tensors
State = tuple[dict[str, Any], dict[str, np.ndarray]]  # a document of JSON values, and arrays by name

SMALLEST, LARGEST = -(2**63), 2**64 - 1  # whole numbers that any array holds
WORDS = 40  # characters of a value that a sentence shows
NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", types.NoneType: "null"}
KINDS = {"f": "floats", "i": "whole numbers", "n": "numbers", "b": "truth values"}


class Stateful(Protocol):
    """An object that a file can hold."""

    def state(self) -> State:
        """Return all that was learned, as JSON values and arrays; neither is to be changed."""

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Return the object that :meth:`state` described: its own state is equal, bit for bit.

        Raises
        ------
        ArtifactError
            The state is incomplete or was altered.
        """


def prefixed(name: str, arrays: Mapping[str, T]) -> dict[str, T]:
    """Return the arrays of an object inside another, each as ``name.its name``."""
    return {f"{name}.{its_name}": array for its_name, array in arrays.items()}


def under(name: str, arrays: Mapping[str, T]) -> dict[str, T]:
    """Return the arrays that :func:`prefixed` put under a name, without it."""
    start = f"{name}."
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def read(kind: Any, value: Any, where: str = "it") -> Any:
    """Return a JSON value as an annotation says that it is.

    Parameters
    ----------
    kind : type
        ``bool``, ``int``, ``float`` (finite), ``str``, ``None``, ``Any``, ``Literal[...]``, ``list[T]``,
        ``tuple[T, ...]``, ``tuple[T, T]``, ``dict[str, T]``, a ``TypedDict`` (of which unknown keys are left out), a
        dataclass (which may have no unknown ones), and unions of these.
    value : object
        What the file says.
    where : str, default="it"
        Its place in the document, for the sentence.

    Returns
    -------
    object
        The value; lists as tuples and objects as dataclasses where the annotation says so.

    Raises
    ------
    ArtifactError
        It is something else.
    """
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _one_of(typing.get_args(kind), value, where)
    if origin is Literal:
        if not isinstance(value, str | int | None) or value not in typing.get_args(kind):
            raise _wrong(kind, value, where)
        return value
    if origin in (list, tuple):
        return _several(kind, value, where)
    if origin is dict:
        items = _object(value, where)
        return {
            str(read(str, key, where)): read(typing.get_args(kind)[1], item, _in(where, key))
            for key, item in items.items()
        }
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, _object(value, where), where)
    if typing.is_typeddict(kind):
        return _typed_dict(kind, _object(value, where), where)
    return _plain(types.NoneType if kind is None else kind, value, where)


def _plain(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= 1.7e308 and math.isfinite(value):
            return float(value)
    elif kind is int and isinstance(value, int) and not isinstance(value, bool):
        if SMALLEST <= value <= LARGEST:
            return value
    elif kind is str and isinstance(value, str):
        if value.isascii() or value.encode(errors="replace").decode() == value:  # half a character has no bytes
            return value
    elif kind in (bool, types.NoneType) and isinstance(value, kind):
        return value
    raise _wrong(kind, value, where)


def _one_of(kinds: Sequence[Any], value: Any, where: str) -> Any:
    """Return a value as the first of several types that it is of; what it is nearest to says why it is none."""
    why: list[ArtifactError] = []
    for kind in kinds:
        try:
            return read(kind, value, where)
        except ArtifactError as error:
            why.append(error)
    inside = [error for error in why if not str(error).startswith(f"{where} must be ")]
    if inside:
        raise inside[0]
    raise _wrong(Union[tuple(kinds)], value, where)  # noqa: UP007 - of types that are only known here


def _several(kind: Any, value: Any, where: str) -> Any:
    """Return a list, or a tuple, of values of one type or of a type each."""
    items = typing.get_args(kind)
    if not isinstance(value, list | tuple):  # a tuple has not been through a file yet
        raise _wrong(kind, value, where)
    if typing.get_origin(kind) is list:
        return [read(items[0], item, f"{where}[{index}]") for index, item in enumerate(value)]
    if items[1:] == (...,):
        return tuple(read(items[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if len(items) != len(value):
        raise ArtifactError(f"{where} must have {len(items)} entries; it has {len(value):,}")
    return tuple(
        read(its, item, f"{where}[{index}]") for index, (its, item) in enumerate(zip(items, value, strict=True))
    )


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArtifactError(f"{where} must be an object; it is {_shown(value)}")
    return value


@cache
def hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a class, found out once."""
    return typing.get_type_hints(kind)


@cache
def _needed(kind: type) -> frozenset[str]:
    """Return the keys that a typed dictionary must have; Python itself does not see this in postponed annotations."""
    found = typing.get_type_hints(kind, include_extras=True)
    return frozenset(name for name, its in found.items() if typing.get_origin(its) is not NotRequired)


def _dataclass(kind: Any, value: dict[str, Any], where: str) -> Any:
    fields = [field for field in dataclasses.fields(kind) if field.init]
    needed = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    _check_keys(needed, value, where)
    unknown = set(value) - {field.name for field in fields}
    if unknown:
        raise ArtifactError(f"{where} has {_shown(min(unknown))}, of which nothing is known")
    return kind(**{name: read(hints(kind)[name], item, _in(where, name)) for name, item in value.items()})


def _typed_dict(kind: Any, value: dict[str, Any], where: str) -> dict[str, Any]:
    _check_keys(_needed(kind), value, where)
    return {name: read(its, value[name], _in(where, name)) for name, its in hints(kind).items() if name in value}


def _check_keys(needed: typing.AbstractSet[str], value: Mapping[str, Any], where: str) -> None:
    absent = needed - set(value)
    if absent:
        raise ArtifactError(f"{where} lacks {', '.join(sorted(absent))}")


def _in(where: str, key: object) -> str:
    return f"{_cut(str(key))}" if where == "it" else f"{where}.{_cut(str(key))}"


def _wrong(kind: Any, value: Any, where: str) -> ArtifactError:
    return ArtifactError(f"{where} must be {_described(kind)}; it is {_shown(value)}")


def _described(kind: Any) -> str:
    origin, items = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_described(item) for item in items)
    if origin is Literal:
        return f"one of {', '.join(map(str, items))}"
    return NAMES.get(kind, "a list" if origin in (list, tuple) else "an object")


def _shown(value: Any) -> str:
    return f"a list of {len(value):,}" if isinstance(value, list) else _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= WORDS else f"{text[:WORDS]}..."


# ------------------------------------------------------------------ arrays


def array(
    arrays: Mapping[str, np.ndarray], name: str, shape: Sequence[int | None], kind: Literal["f", "i", "n", "b"] = "f"
) -> np.ndarray:
    """Return an array of a file, finite and of a shape.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        All that are there.
    name : str
        Which one.
    shape : sequence of (int or None)
        ``None`` for sides of any length.
    kind : {"f", "i", "n", "b"}, default="f"
        Of what: floats, whole numbers, either of these, truth values.

    Raises
    ------
    ArtifactError
        There is none, or another.
    """
    if name not in arrays:
        raise ArtifactError(f"it has no array {name!r}")
    found = arrays[name]
    if found.dtype.kind not in {"f": "f", "i": "iu", "n": "fiu", "b": "b"}[kind]:
        raise ArtifactError(f"its array {name!r} must hold {KINDS[kind]}; it holds {found.dtype}")
    if len(found.shape) != len(shape) or any(a not in (None, b) for a, b in zip(shape, found.shape, strict=True)):
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        raise ArtifactError(f"its array {name!r} must be {wanted}; it is {' x '.join(map(str, found.shape))}")
    check_finite({name: found})
    return found


def is_number_type(name: str) -> bool:
    """Tell whether a text is NumPy's name of a type of numbers, or of truth values."""
    try:
        return np.dtype(name).kind in "biuf"
    except (TypeError, ValueError):
        return False


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays of a file that hold something other than finite numbers.

    Raises
    ------
    ArtifactError
        It names the first one.
    """
    for name, found in arrays.items():
        # A sum is the cheapest look at every value; of finite ones it may be too large.
        if found.dtype.kind == "f" and not np.isfinite(found.sum(dtype=np.float64)) and not np.isfinite(found).all():
            raise ArtifactError(f"its array {name!r} holds numbers that are not finite")
