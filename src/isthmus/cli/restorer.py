"""What info, and the list of models, say of a restorer, and how it was trained: nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.checks.coding import SHORT
from isthmus.cli.terminal import counted

__all__ = ["DAMAGES", "about", "about_training", "scores_of"]

# Whose scores are shown: of damages, and what noisy pictures without clean ones have instead.
DAMAGES = ("grey_noise_25", "noise_25", "grey_jpeg_10", "scale_2", "grey_holes_50", "estimated", "blind_spot")


def about(envelope: Mapping[str, Any]) -> list[str]:
    """Return what info says of a restorer, given what its file says; nothing where it is none."""
    if envelope["class"] != "Restorer":
        return []
    document = envelope["document"]
    provenance, history = document["provenance"], document.get("history", [])
    channels = ", ".join(map(str, document["network"]["channels"]))
    uses = "restores pictures: noise, JPEG blocks, holes, small and blurred ones"
    if provenance.get("self_supervised"):
        uses = "denoises pictures, as it learned from noisy ones alone"
    return [
        f"{uses}; digest {envelope['sha256'][:SHORT]}",
        f"network of {channels} channels",
        *about_training(provenance),
        *([scores_of(history[-1])] if history else []),
        *([f"command: {provenance['command']}"] if provenance.get("command") else []),
        *(f"note: {note}" for note in document.get("notes", [])),
    ]


def about_training(provenance: Mapping[str, Any]) -> list[str]:
    """Return how a restorer, or a codec of photographs, was trained."""
    if "steps" not in provenance:
        return []
    learned = (
        f" on {counted(provenance['records'], 'picture')} of {provenance['source']}" if "records" in provenance else ""
    )
    lines = [
        f"trained{learned}, {provenance['steps']:,} steps in {provenance['minutes']:.1f} min, on "
        f"{provenance['device']} ({provenance['precision']}, {counted(provenance['threads'], 'thread')}), seed "
        f"{provenance['seed']}, torch {provenance['torch']}"
    ]
    return [*lines, *([f"licences: {provenance['licence']}"] if "licence" in provenance else [])]


def scores_of(record: Mapping[str, Any]) -> str:
    """Return what held-out pictures scored."""
    shown = [f"{name.replace('_', ' ')} {record[name]:.2f}" for name in DAMAGES if name in record]
    return f"held out, in dB: {', '.join(shown)}"
