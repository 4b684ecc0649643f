"""What the recipes of networks that learn from photographs share: files, digests, provenance, arguments."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import isthmus
from isthmus.training.restoring import digest_of
from isthmus.training.steps import Course, Plan, Progress

SHARE_ALIKE = ("cid22",)  # folders that are validated on, and never trained on
LICENCES = "CC0, public domain, CC BY, Unsplash and Pexels licences: see {}"
EVERY = 2000  # steps after which the held-out pictures are scored


def paths_of(folder: Path) -> list[Path]:
    """Return the files to train on."""
    found = sorted([*folder.glob("*/*.webp"), *folder.glob("*/*.jpg")])
    return [path for path in found if path.parent.name not in SHARE_ALIKE]


def opened(path: Path) -> tuple[Image.Image, float]:
    """Return a photograph, and how much it is to be reduced, so that an earlier compression leaves no traces."""
    return Image.open(path).convert("RGB"), 1.0 if "-lossless" in path.name else 2.0


def digest_of_files(paths: list[Path]) -> str:
    """Return one digest of names and contents of the files trained on."""
    return digest_of(_digests(paths))


def _digests(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        yield f"{path.parent.name}/{path.name}".encode() + hashlib.sha256(path.read_bytes()).digest()


def validation_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Return every second picture of a folder of lossless ones."""
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.webp"))[::2]]


def parser_of(description: str, plan: type[Plan], steps: int, output: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all recipes have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--rate", type=float, default=plan.rate, help="learning rate of the first step")
    parser.add_argument("--minutes", type=float, help="time after which to be done; the rate falls accordingly")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", type=Path, required=True, help=output)
    return parser


def course_of(given: argparse.Namespace) -> Course:
    """Return how a run is kept, ended and told."""
    given.state.mkdir(parents=True, exist_ok=True)
    seconds = None if given.minutes is None else 60 * given.minutes
    return {"every": EVERY, "max_seconds": seconds, "checkpoint": given.state / "training.safetensors", "tell": tell}


def tell(progress: Progress) -> None:
    """Print what was measured, or how far the run is."""
    if progress.history and progress.history[-1]["step"] == progress.step:
        print(json.dumps(progress.history[-1]), flush=True)
    elif progress.loss is not None:
        print(f"step {progress.step}, loss {progress.loss:.5f}, {progress.seconds / 60:.1f} min", flush=True)


def provenance_of(plan: Plan, progress: Progress, paths: list[Path], device: str, credits_: str) -> Mapping[str, Any]:
    """Return how weights came about."""
    begun = {} if plan.begun_with is None else {"begun_with": plan.begun_with}
    return {
        "source": ", ".join(sorted({path.parent.name for path in paths})),
        "records": len(paths),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "precision": plan.precision,
        "isthmus": isthmus.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "seed": plan.seed,
        **begun,
        "rate": plan.rate,
        "data": plan.data,
        "licence": LICENCES.format(credits_),
    }
