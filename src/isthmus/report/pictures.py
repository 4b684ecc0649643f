"""Which pictures a report has, and from what they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.report.document import Sample

__all__ = ["draw"]

MAX_COLUMNS = 40  # columns of a table that are drawn, the worst ones


def draw(document: dict[str, Any], sample: Sample) -> dict[str, Figure]:
    """Return the pictures of a report by name.

    Parameters
    ----------
    document : dict
        All figures.
    sample : Sample
        The arrays beside them.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
    """
    measure = document["scores"]["measures"][0]
    label = f"{measure['title']} per record"
    pictures = {
        "distribution": plots.error_distribution(sample.errors, label),
        "codes": plots.code_scatter(sample.scores, sample.shares, sample.labels),
        "units": plots.unit_variances(sample.variance, document["codes"]["threshold"] or 0.0),
    }
    if document["history"]:
        pictures["loss"] = plots.loss_curves(document["history"])
    if sample.kind == "image":
        for name, pairs in (("images", sample.shown), ("worst", sample.worst)):
            if not pairs:
                continue
            originals, reconstructions, captions = zip(*pairs, strict=True)
            pictures[name] = plots.image_grid(originals, reconstructions, captions)
    if sample.parity is not None:
        pictures["parity"] = plots.parity(*sample.parity)
    if "mean" in (document["columns"] or [{}])[0] and (
        sample.kind == "table" or len(document["columns"]) <= MAX_COLUMNS
    ):
        pictures["columns"] = _columns(document)
    return pictures


def _columns(document: dict[str, Any]) -> Figure:
    """Draw the columns of which most is lost, as shares of what the mean record loses."""
    columns = document["columns"]
    useless = np.array([column["mean"] or 0.0 for column in columns])
    shares = {}
    titles = {row["name"]: row["title"] for row in document["scores"]["rows"]}
    for name in ("model", "pca"):
        lost = np.array([column[name] or 0.0 for column in columns])
        # A column that the mean gets right has no share: right is 0, wrong is 1.
        shares[titles[name]] = np.where(useless > 0.0, lost / np.where(useless > 0.0, useless, 1.0), lost > 0.0)
    order = np.argsort(-shares[titles["model"]], kind="stable")[:MAX_COLUMNS]
    return plots.column_errors(
        [columns[i]["name"] for i in order], {title: values[order] for title, values in shares.items()}
    )
