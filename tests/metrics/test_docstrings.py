"""The examples in the docstrings of the metrics."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from isthmus import metrics

MODULES = [module.name for module in pkgutil.iter_modules(metrics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"isthmus.metrics.{name}"))
    assert found.failed == 0
