"""Precision of arithmetic: the fastest that a device offers and that is exact enough."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

__all__ = ["autocast", "fast_float32", "has_fast_bfloat16", "products", "small_products"]


@functools.cache
def has_fast_bfloat16(device_type: str) -> bool:
    """Tell whether a device multiplies bfloat16 matrices in hardware."""
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


@functools.cache
def _medium_is_float32() -> bool:
    """Tell whether torch's "medium" matrix products are as accurate as float32 on this processor.

    "medium" lets torch pass float32 products on to oneDNN, which may compute in bfloat16 where the processor has
    matrix units for it. On processors without them it computes in float32, about twice as fast as the default.
    """
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(64, 512, generator=generator), torch.randn(512, 64, generator=generator)
    exact = a.double() @ b.double()
    with _matmul_precision("medium"):
        error = (a @ b - exact).abs().max() / exact.abs().max()
    return bool(error < 1e-5)


@contextmanager
def _matmul_precision(setting: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(setting)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def fast_float32(device_type: str = "cpu") -> AbstractContextManager[None]:
    """Multiply float32 matrices by the fastest route that keeps float32 accuracy; put the setting back afterwards."""
    if device_type != "cpu" or not _medium_is_float32():
        return nullcontext()
    return _matmul_precision("medium")


def small_products() -> AbstractContextManager[None]:
    """Multiply small float32 matrices by the route with the cheapest call, which is torch's default one."""
    return _matmul_precision("highest")


def autocast(device_type: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which networks run: bfloat16 products where ``precision`` is "bfloat16"."""
    if precision == "bfloat16":
        return torch.autocast(device_type, torch.bfloat16)
    return nullcontext()


def products(device_type: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which trained networks are used: bfloat16 only where ``precision`` asks for it by name."""
    return autocast(device_type, precision) if precision == "bfloat16" else fast_float32(device_type)
