"""Arrays of many types, shapes and kinds of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

TYPES: list[Any] = [
    *("?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", ">i8", "<u8"),
    *("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", "g", "G"),
    *("S0", "S1", "S5", "<U1", ">U3", "V1", "V7", "<M8[ns]", "<m8[D]", ">M8[25s]", "<M8"),
    [("a", "<i4"), ("b", "<f8")],
    [("a", "u1"), ("hole", "V3"), ("b", ">f4", (2, 3))],
    [(("a title", "x"), [("y", "<f4"), ("z", "<i2")], 3), ("s", "S4")],
    {"names": ["a", "b"], "formats": ["<i4", "<f8"], "offsets": [8, 0], "itemsize": 24},
    np.dtype([("a", "u1"), ("b", "<f8")], align=True),
    [],
]
SHAPES: list[tuple[int, ...]] = [(), (1,), (0,), (7,), (300,), (5, 0, 3), (13, 17), (4, 1, 9), (2, 3, 4, 5, 2), (40, 3)]


def any_bits(dtype: Any, shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    """Return an array of any bits, but of bools and text, which not all bits are."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(seed)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind == "U":
        letters = rng.integers(0x20, 0xD7FF, (count, dtype.itemsize // 4)).astype(dtype.str[0] + "u4")
        return letters.reshape(-1).view(dtype).reshape(shape)
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    made = np.zeros(shape, dtype)  # so that there is nothing between fields
    raw = rng.integers(0, 256, count * dtype.itemsize, dtype=np.uint8).view(dtype).reshape(shape)
    for name in dtype.names or ():
        made[name] = raw[name]
    return made if dtype.names is not None else raw


def field(shape: tuple[int, ...] = (24, 40, 50), dtype: Any = np.float32, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return numbers that change smoothly along each axis, with some noise."""
    rng, found = np.random.default_rng(seed), np.zeros(shape)
    for axis, length in enumerate(shape):
        wave = 10 * np.sin(np.linspace(0, 5, length) + axis)
        found = found + wave.reshape([length if k == axis else 1 for k in range(len(shape))])
    return (280 + found + rng.normal(0, 0.05, shape)).astype(dtype)


def table(rows: int = 3000, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return decimals in columns of different kinds, of which two say much of each other."""
    rng = np.random.default_rng(seed)
    first = rng.integers(40, 160, rows)
    columns = [first / 10, rng.integers(990, 1004, rows) / 1000, first * 3 // 2, rng.integers(0, 4, rows), first / 100]
    return np.stack([column.astype(float) for column in columns], 1)


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Tell whether arrays have the same type, shape, order and bits; what lies between fields does not count."""
    if (one.dtype, one.shape, one.flags.f_contiguous) != (other.dtype, other.shape, other.flags.f_contiguous):
        return False
    if one.dtype.names is not None:
        return all(same(np.array(one[name]), np.array(other[name])) for name in one.dtype.names)
    return one.tobytes() == other.tobytes()
