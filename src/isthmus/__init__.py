"""isthmus: autoencoders and learned codes, from Python and from the command line.

Models, task objects, :func:`load` and :func:`evaluate` are found at the top level (``isthmus.Autoencoder``), the rest
in its folder (``isthmus.data``).
Importing isthmus loads nothing heavy: each name brings what it needs when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isthmus.version import __version__ as __version__

if TYPE_CHECKING:
    from isthmus.loading import load as load
    from isthmus.models import *  # noqa: F403 - type checkers and editors see the same names as the registries
    from isthmus.report import evaluate as evaluate

_MODULES = frozenset(
    (
        "artifact",
        "base",
        "capabilities",
        "checks",
        "data",
        "errors",
        "metrics",
        "models",
        "networks",
        "preprocessing",
        "report",
        "search",
        "tasks",
        "training",
    )
)
_FUNCTIONS = {"evaluate": "isthmus.report", "load": "isthmus.loading"}
_REGISTRIES = ("isthmus.models", "isthmus.tasks")


def __getattr__(name: str) -> Any:
    """Return a module of the package, or a model or task object by the name that its registry has it under."""
    if name in _MODULES:
        return import_module(f"isthmus.{name}")
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name[:1].isupper():
        for folder in _REGISTRIES:
            found = import_module(folder).REGISTRY.get(name)
            if found is not None:
                return found
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the modules, the models and task objects, ``load``, ``evaluate`` and the version."""
    objects = [name for folder in _REGISTRIES for name in import_module(folder).REGISTRY]
    return sorted([*_MODULES, *_FUNCTIONS, *objects, "__version__"])
