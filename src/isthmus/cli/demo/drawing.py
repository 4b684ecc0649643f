"""New digits, drawn by a VAE and a GAN, compared with real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli.terminal import columns

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["document", "draw_digits", "picture", "table"]

FIGURES = ("frechet", "density", "coverage")
SHEET = (6, 8)  # digits in a row, and rows, of the picture


def draw_digits(train: Data, test: Data, seed: int, callbacks: list[Any]) -> dict[str, Any]:
    """Train two models that draw; return the digits they draw, and how like real ones these are.

    Held-out digits are parted: one half is what new digits are compared with, and the other half is a row beside them.
    """
    from isthmus import GAN, VAE, data, metrics
    from isthmus.tasks import feature_network

    network = feature_network(train, random_state=seed, cache=False)
    reference, others = data.split(test, (0.5, 0.5), random_state=seed)
    real = network.features(pictures_of(reference))
    models = {
        "VAE": VAE(latent_dim=16, prior="mixture", max_epochs=30, random_state=seed),
        "GAN": GAN(max_epochs=100, random_state=seed),
    }
    rows: list[dict[str, Any]] = [{"title": f"held-out digits, {len(others)}", "pictures": pictures_of(others)}]
    for title, model in models.items():
        model.fit(train, callbacks=callbacks)
        drawn = model.sample(len(others), random_state=seed)
        rows.append({"title": title, "pictures": drawn, "seconds": model.provenance_["seconds"]})
    for row in rows:
        features = network.features(row["pictures"])
        near = metrics.density_coverage(real, features, random_state=seed)
        row["frechet"] = metrics.frechet_interval(real, features, random_state=seed)
        row |= {"density": near.density, "coverage": near.coverage}
    return {"features": network.label, "rows": rows}


def pictures_of(records: Data) -> np.ndarray:
    """Return all pictures of some records."""
    return np.asarray(records.take(np.arange(len(records))))


def table(new: dict[str, Any]) -> list[str]:
    """Return the figures of each row of digits as lines."""
    head = ["", "Fréchet distance", "95 % interval", "density", "coverage", "seconds of training"]
    body = []
    for row in new["rows"]:
        frechet = row["frechet"]
        figures = [f"{frechet.mean:z.1f}", f"{frechet.low:z.1f} to {frechet.high:z.1f}"]
        figures += [f"{row[name].mean:.2f}" for name in ("density", "coverage")]
        body.append([row["title"], *figures, f"{row['seconds']:.1f}" if "seconds" in row else ""])
    return columns(head, body)


def picture(new: dict[str, Any], test: Data, path: Path) -> None:
    """Draw real digits and new ones side by side."""
    from isthmus.report.gallery import titled_sheets, write_picture

    across, down = SHEET
    captions = {"held-out digits": "real"}
    panels = {"held-out digits": pictures_of(test)[: across * down]}
    for row in new["rows"][1:]:
        panels[row["title"]] = row["pictures"][: across * down]
        captions[row["title"]] = f"new; coverage {row['coverage'].mean:.2f}"
    write_picture(titled_sheets(panels, columns=across, captions=captions), path, force=True)


def document(new: dict[str, Any]) -> dict[str, Any]:
    """Return the figures for machines, without the pictures."""
    rows = [
        {"title": row["title"], "seconds": row.get("seconds")}
        | {name: {"mean": row[name].mean, "low": row[name].low, "high": row[name].high} for name in FIGURES}
        for row in new["rows"]
    ]
    return {"features": new["features"], "rows": rows}
