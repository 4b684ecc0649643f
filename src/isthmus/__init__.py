"""isthmus: learn a code for your own data, and use it.

Models and :func:`load` are found at the top level (``isthmus.Autoencoder``), the rest in its folder (``isthmus.data``).
Importing isthmus loads nothing heavy: each name brings what it needs when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.models import *  # noqa: F403 - type checkers and editors see the same names as the registry
    from isthmus.models import load as load

__version__ = "0.1.0"

_MODULES = frozenset(
    (
        "artifact",
        "base",
        "checks",
        "data",
        "errors",
        "metrics",
        "models",
        "networks",
        "preprocessing",
        "report",
        "tasks",
        "training",
    )
)


def __getattr__(name: str) -> Any:
    """Return a module of the package, or a model by the name that its registry has it under."""
    if name in _MODULES:
        return import_module(f"isthmus.{name}")
    if not name.startswith("_"):
        models = import_module("isthmus.models")
        if name == "load" or name in models.__all__:
            return getattr(models, name)
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the modules, the models, ``load`` and the version."""
    return sorted([*_MODULES, *import_module("isthmus.models").__all__, "load", "__version__"])
