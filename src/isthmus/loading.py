"""Loading of every saved class: models, and task objects with their models."""

from __future__ import annotations

import os
from typing import Any

from isthmus import artifact
from isthmus.coding import kinds
from isthmus.coding.photographs.weights import holds_codec
from isthmus.errors import ArtifactError

__all__ = ["load"]


def load(path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Any:
    """Return the fitted model or task object of a file, whatever its class.

    Parameters
    ----------
    path : path
        A file that ``save`` or the command line wrote.
    network : (encoder, decoder), optional
        New instances of the user's own modules, for a model that was fitted with such.
    device : str, optional
        Where to; by default the device named when it was fitted, where this machine has it, else the processor. A
        codec is always on the processor.

    Raises
    ------
    ArtifactError
        The file is damaged, or of a class that this version does not have.
    FormatNumberError
        The file is of a later format.
    """
    name = artifact.describe(path)["class"]
    if name == "Checkpoint":
        raise ArtifactError(
            f"{os.fspath(path)} is the checkpoint of a run that did not end, not a model; go on from it with --resume "
            f"(fit(..., resume=path))."
        )
    if kinds.is_codec(path) and not holds_codec(path):
        return kinds.load(path)
    from isthmus.models import REGISTRY as MODELS  # torch, of which a codec needs nothing
    from isthmus.models.photographic_codec import PhotographicCodec
    from isthmus.models.restorer import Restorer
    from isthmus.tasks import REGISTRY as TASKS

    known: dict[str, Any] = {**MODELS, **TASKS, "Restorer": Restorer, "PhotographicCodec": PhotographicCodec}
    if name not in known:
        raise ArtifactError(f"{os.fspath(path)} holds a {name}; isthmus has {', '.join(known)}.")
    return known[name].load(path, network=network, device=device)
