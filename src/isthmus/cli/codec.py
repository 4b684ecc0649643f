"""What info says of the file of a model that makes data smaller: nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.checks.coding import SHORT
from isthmus.cli.restorer import about_training
from isthmus.cli.shipped import at_rates
from isthmus.coding import kinds
from isthmus.coding.photographs.weights import CODEC, Weights

__all__ = ["about"]


def about(envelope: Mapping[str, Any], path: str) -> list[str]:
    """Return what info says of a model, given what its file says; nothing where it is none that makes data smaller."""
    document = envelope["document"]
    if envelope["class"] == CODEC:
        return _about_photographs(document, Weights.read(path).fingerprint.hex())
    kind = next((kind for kind in kinds.KINDS.values() if kind.name == envelope["class"]), None)
    if kind is None:
        return []
    provenance = document["provenance"]
    return [
        f"a model for isthmus compress -m; fingerprint {envelope['sha256'][:SHORT]}",
        f"learned from {kind.cls.learned_from(provenance)}",
        *_command(provenance),
    ]


def _about_photographs(document: Mapping[str, Any], fingerprint: str) -> list[str]:
    history, provenance = document.get("history", []), document["provenance"]
    return [
        f"a codec of pictures with a loss, for isthmus compress -m; fingerprint {fingerprint[:SHORT]}",
        *about_training(provenance),
        *([at_rates(history[-1])] if history else []),
        *_command(provenance),
        *(f"note: {note}" for note in document.get("notes", [])),
    ]


def _command(provenance: Mapping[str, Any]) -> list[str]:
    return [f"command: {provenance['command']}"] if provenance.get("command") else []
