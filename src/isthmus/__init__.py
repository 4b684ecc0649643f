"""isthmus: autoencoders and learned codes, from Python and from the command line.

Models, task objects, :func:`load`, :func:`evaluate` and what compresses are found at the top level
(``isthmus.Autoencoder``, ``isthmus.compress``), the rest in its folder (``isthmus.data``).
Importing isthmus loads nothing heavy: each name brings what it needs when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isthmus.version import __version__ as __version__

if TYPE_CHECKING:
    from isthmus.coding import Archive as Archive
    from isthmus.coding import Codec as Codec
    from isthmus.coding import PictureCodec as PictureCodec
    from isthmus.coding import TableCodec as TableCodec
    from isthmus.coding import compress as compress
    from isthmus.coding import decompress as decompress
    from isthmus.coding import open_compressed as open_compressed
    from isthmus.coding import read_rows as read_rows
    from isthmus.loading import load as load
    from isthmus.models import *  # noqa: F403 - type checkers and editors see the same names as the registries
    from isthmus.models.photographic_codec import PhotographicCodec as PhotographicCodec
    from isthmus.models.restorer import Restorer as Restorer
    from isthmus.report import evaluate as evaluate
    from isthmus.tasks.compression.to_target import compress_photograph as compress_photograph

_MODULES = frozenset(
    (
        "artifact",
        "base",
        "capabilities",
        "checks",
        "cluster",
        "coding",
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
_OBJECTS = {
    "evaluate": "isthmus.report",
    "PhotographicCodec": "isthmus.models.photographic_codec",
    "Restorer": "isthmus.models.restorer",
    "compress_photograph": "isthmus.tasks.compression.to_target",
    "load": "isthmus.loading",
    **dict.fromkeys(
        ("Archive", "Codec", "PictureCodec", "TableCodec", "compress", "decompress", "open_compressed", "read_rows"),
        "isthmus.coding",
    ),
}
_REGISTRIES = ("isthmus.models", "isthmus.tasks")


def __getattr__(name: str) -> Any:
    """Return a module of the package, or a model or task object by the name that its registry has it under."""
    if name in _MODULES:
        return import_module(f"isthmus.{name}")
    if name in _OBJECTS:
        return getattr(import_module(_OBJECTS[name]), name)
    if name[:1].isupper():
        for folder in _REGISTRIES:
            found = import_module(folder).REGISTRY.get(name)
            if found is not None:
                return found
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the modules, the models and task objects, what is not in a module, and the version."""
    objects = [name for folder in _REGISTRIES for name in import_module(folder).REGISTRY]
    return sorted([*_MODULES, *_OBJECTS, *objects, "__version__"])
