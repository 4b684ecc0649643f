"""The weights that come with the package, as ``isthmus models`` lists them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from isthmus import artifact
from isthmus.checks.coding import SHORT
from isthmus.cli.restorer import scores_of

__all__ = ["at_rates", "lines", "weights"]

PACKAGE = Path(__file__).resolve().parents[1]


class Shipped(NamedTuple):
    """A file of weights.

    Parameters
    ----------
    file : str
        In the package.
    use : str
        What it is for.
    learned_from : callable
        Returns a phrase for what its file says.
    licence : str
        Of what it learned from.
    scored : callable
        Returns a phrase for its scores of held-out pictures.
    """

    file: str
    use: str
    learned_from: Callable[[Mapping[str, Any]], str]
    licence: str
    scored: Callable[[Mapping[str, Any]], str] = scores_of


def at_rates(scores: Mapping[str, Any]) -> str:
    """Return what held-out photographs took, and how near they came back, at some qualities."""
    pairs = [(scores[name], scores[name.replace("bpp", "psnr")]) for name in scores if name.startswith("bpp_")]
    return "held out: " + ", ".join(f"{bpp:.2f} bits a pixel at {psnr:.1f} dB" for bpp, psnr in pairs)


def _of_photographs(provenance: Mapping[str, Any]) -> str:
    if "steps" not in provenance:
        return "photographs"
    return (
        f"{provenance['records']} photographs of {len(provenance['source'].split(', '))} collections, in "
        f"{provenance['steps']:,} steps and {provenance['minutes']:,.0f} min"
    )


def _of_texts(provenance: Mapping[str, Any]) -> str:
    return f"{provenance['bytes']:,} bytes of English, source code and logs in {provenance['texts']:,} texts"


WEIGHTS = (
    Shipped(
        "models/restorer_1.safetensors",
        "denoise, inpaint and enhance of pictures; isthmus fit FOLDER --model restorer tunes it",
        _of_photographs,
        "CC0, public domain, CC BY, Unsplash and Pexels licences",
    ),
    Shipped(
        "coding/photographs_1.safetensors",
        "compress and decompress of photographs with a loss: the decoder, in whole numbers",
        _of_photographs,
        "CC0, public domain, CC BY, Unsplash and Pexels licences",
        at_rates,
    ),
    Shipped(
        "coding/photographs_1_analysis.safetensors",
        "compress of photographs with a loss: what finds the codes",
        _of_photographs,
        "CC0, public domain, CC BY, Unsplash and Pexels licences",
    ),
    Shipped(
        "coding/prior_1.safetensors",
        "compress of texts",
        _of_texts,
        "CC0, public domain, CC BY, MIT, BSD, Apache-2.0 and the like",
    ),
)


def weights() -> list[dict[str, Any]]:
    """Return what is known of each file of weights: size, digest, what it learned from, licences and scores."""
    found = []
    for shipped in WEIGHTS:
        path = PACKAGE / shipped.file
        if not path.exists():  # a checkout of the sources may lack it
            continue
        envelope = artifact.describe(path)
        document = envelope["document"]
        found.append(
            {
                "name": path.stem,
                "use": shipped.use,
                "class": envelope["class"],
                "path": os.fspath(path),
                "bytes": path.stat().st_size,
                "sha256": envelope["sha256"],
                "learned_from": shipped.learned_from(document["provenance"]),
                "licence": shipped.licence,
                "credits": os.fspath(path.with_name(f"{path.stem.removesuffix('_analysis')}.credits.txt")),
                "scores": (scores := (document.get("history") or [{}])[-1]),
                "scored": shipped.scored(scores) if scores else "",
            }
        )
    return found


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is said of the weights."""
    said = ["weights that come with isthmus:"]
    for one in found:
        said += [
            f"{one['name']:24}{one['use']}",
            f"{'':24}{one['bytes']:,} bytes, digest {one['sha256'][:SHORT]}",
            f"{'':24}learned from {one['learned_from']}",
            f"{'':24}{one['licence']}: see {one['credits']}",
        ]
        if one["scored"]:
            said.append(f"{'':24}{one['scored']}")
    return said if found else []
