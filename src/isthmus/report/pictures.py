"""The choice of a report's pictures, and their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report import explaining, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.report.generation import Generation
    from isthmus.report.sample import Sample

__all__ = ["draw"]

MAX_COLUMNS = 40  # columns of a table that are drawn, the worst ones


def draw(document: dict[str, Any], sample: Sample, made: Generation | None = None) -> dict[str, Figure]:
    """Return the pictures of a report by name.

    Parameters
    ----------
    document : dict
        All figures.
    sample : Sample
        The arrays beside them.
    made : Generation, optional
        New records.

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
    pictures |= _of_training(document["history"], document["training"]) | _of_divergence(document["codes"])
    if sample.kind == "image":
        for name, pairs in (("images", sample.shown), ("worst", sample.worst)):
            if not pairs:
                continue
            originals, reconstructions, captions = zip(*pairs, strict=True)
            pictures[name] = plots.image_grid(originals, reconstructions, captions)
    if sample.meaning is not None:
        pictures["meaning"] = explaining.picture(*sample.meaning)
    if sample.parity is not None:
        pictures["parity"] = plots.parity(*sample.parity)
    if "mean" in (document["columns"] or [{}])[0] and (
        sample.kind == "table" or len(document["columns"]) <= MAX_COLUMNS
    ):
        pictures["columns"] = _columns(document)
    return pictures if made is None else pictures | _of_new_records(made)


def _of_training(history: list[dict[str, Any]], training: dict[str, Any]) -> dict[str, Figure]:
    if not history:
        return {}
    pictures = {
        "loss": plots.player_losses(history, training["even"]) if training["game"] else plots.loss_curves(history)
    }
    if "perplexity" in history[-1]:
        pictures["entries"] = plots.entries_used(history)
    return pictures


def _of_divergence(codes: dict[str, Any]) -> dict[str, Figure]:
    if codes["level_kl"]:
        return {"levels": plots.level_kl(np.array(codes["level_kl"]))}
    kl = codes["kl"]
    return {"kl": plots.unit_kl(np.array(kl["nats"]), np.array(kl["active"]))} if kl else {}


def _of_new_records(made: Generation) -> dict[str, Figure]:
    """Draw what there is of new records."""
    pictures = {}
    for name, pairs in (("new", made.new), ("closest", made.closest)):
        if pairs:
            new, nearest, captions = (list(part) for part in zip(*pairs, strict=True))
            among = made.document["nearest"]["among"].removesuffix(" records")
            pictures[name] = plots.picture_rows([new, nearest], ["new", f"nearest\n{among}"], captions)
    if len(made.distances) > 1:
        pictures["distances"] = plots.error_distribution(made.distances, "distance from the nearest training record")
    if made.between:
        pictures["between"] = plots.picture_rows(made.between, [], _steps(len(made.between[0]) - 2), apart="ends")
    if made.moved:
        units = made.document["units"]
        reach = np.linspace(-units["reach"], units["reach"], units["steps"])
        names = [f"unit {unit['unit']}" for unit in units["units"]]
        pictures["moved"] = plots.picture_rows(made.moved, names, [_deviations(value) for value in reach])
    if made.document["columns"]:
        pictures["marginals"] = plots.marginals(made.document["columns"]["columns"])
    return pictures


def _deviations(value: float) -> str:
    """Return how far a unit was moved, in deviations."""
    return f"{value:+.1f} \N{GREEK SMALL LETTER SIGMA}".replace("-", "\N{MINUS SIGN}") if value else "mean"


def _steps(count: int) -> list[str]:
    """Return captions of a way between two records: those at its ends, and what share of it lies behind."""
    return ["record", *(f"{100 * place / (count - 1):.0f} %" for place in range(count)), "record"]


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
