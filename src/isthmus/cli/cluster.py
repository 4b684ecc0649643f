"""Verb ``cluster``: find groups of records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.tasks import Clusterer

__all__ = ["cluster"]

LISTED = 20  # clusters of which a line is printed


def cluster(
    terminal: Terminal,
    data: str,
    *,
    model: str | None = None,
    clusters: int | None = None,
    method: str = "auto",
    features: str = "auto",
    runs: int | None = None,
    output: str | None = None,
    picture: str | None = None,
    save: str | None = None,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Cluster records: the cluster of each, with a probability.

    Without --clusters their number is estimated, which may be 1, and the scores of all numbers are printed. The
    clusters are looked for several times with other seeds; how well the runs agree is their stability, 1 where all say
    the same. For each cluster stands its medoid, the most central member, and the row of the member that is least sure
    to belong to it.

    Parameters
    ----------
    model : str
        The file of a model whose codes to use, or of clusters that --save wrote, which are then only applied. By
        default a model is trained.
    clusters : int
        How many; estimated if not given.
    method : {"auto", "communities", "k-means", "mixture", "neighbour-graph", "dec", "idec", "vade"}
        How to find them; auto takes communities, parts of the graph of nearest codes.
    features : {"auto", "records", "gradients"}
        What of pictures the model sees: all, or histograms of oriented gradients, which hardly change when a line has
        moved a little; auto takes gradients of pictures of one size where no --model is given.
    runs : int
        Times that clusters are looked for; 5, or 1 where networks are trained.
    output : str
        Write cluster and probabilities of each record here: .csv, .tsv, .parquet; .npy holds the clusters alone.
    picture : str
        Draw the medoid and the most doubtful members of each cluster here: .png, .svg or .pdf.
    save : str
        Write the clusters here, for use with --model.

    Examples
    --------
    isthmus cluster photos/ -o groups.csv --picture groups.png
    isthmus cluster digits --clusters 10 --save groups.safetensors
    isthmus cluster new.csv -m groups.safetensors -o new-groups.csv
    """
    path = None if output is None else outputs.check_output(output, force, outputs.MATRICES)
    drawn = None if picture is None else outputs.check_output(picture, force, outputs.DRAWINGS, "--picture")
    if drawn is not None and clusters is None:
        outputs.check_output(str(_beside(drawn)), force, flag="--picture")
    kept = None if save is None else outputs.check_output(save, force, flag="--save")
    settings = {"n_clusters": clusters, "method": method, "features": features, "runs": runs, "random_state": seed}
    clusterer, records, is_new = _learned(terminal, data, model, settings, device, opening, picture)
    if kept is not None:
        clusterer.save(kept, force=force)
    chances = clusterer.probabilities_ if is_new else clusterer.predict_proba(records)
    if path is not None:
        names = np.arange(clusterer.n_clusters_)
        outputs.write_chances(path, "cluster", names, chances, records.names, force=force)
    if drawn is not None:
        _draw(drawn, clusterer, records, force=force)
    files = {"output": output, "picture": picture, "saved": save}
    return _result(data, clusterer, chances, files, is_new=is_new)


def _result(
    data: str, clusterer: Clusterer, chances: np.ndarray, files: Mapping[str, str | None], *, is_new: bool
) -> Result:
    """Return what was found; of clusters that were learned from these records also how, and who stands for each."""
    sizes = np.bincount(chances.argmax(axis=1), minlength=clusterer.n_clusters_)
    document = {
        "data": data,
        "records": len(chances),
        "method": clusterer.method_,
        "clusters": clusterer.n_clusters_,
        "estimated": clusterer.evidence_ is not None,
        "evidence": None if clusterer.evidence_ is None else clusterer.evidence_.to_dict(),
        "stability": clusterer.stability_,
        "sizes": sizes.tolist(),
        **files,
    }
    clusters = counted(clusterer.n_clusters_, "cluster")
    lines = [f"{data}: {counted(len(chances), 'record')} in {clusters} ({clusterer.method_})"]
    if is_new:
        document["medoids"] = clusterer.medoids_.tolist()
        document["doubtful"] = [clusterer.doubtful(one, 1).tolist() for one in range(clusterer.n_clusters_)]
        lines += _about(clusterer)
    lines += [f"{files['output']}: cluster and probabilities of each"] if files["output"] else []
    lines += _about_pictures(files["picture"], clusterer)
    lines += [f"{files['saved']}: the clusters, for -m"] if files["saved"] else []
    return Result(document, [*lines, "", *_table(clusterer, chances, sizes, is_new)])


def _learned(
    terminal: Terminal,
    data: str,
    model: str | None,
    settings: Mapping[str, Any],
    device: str | None,
    opening: Mapping[str, Any],
    picture: str | None,
) -> tuple[Clusterer, Data, bool]:
    """Return clusters, the records, and whether the clusters were learned from these."""
    from isthmus.checks.cluster import is_learned_already
    from isthmus.tasks import Clusterer

    loaded = None if model is None else inputs.load_model(model, device, or_a=Clusterer)
    if isinstance(loaded, Clusterer):
        is_learned_already(clusters=settings["n_clusters"], picture=picture)
        return loaded, inputs.open_for(terminal, loaded, data, opening), False
    records = inputs.open_for(terminal, loaded, data, opening)
    clusterer = Clusterer(model=loaded, device=device or "auto", verbose=0 if terminal.quiet else 1, **settings)
    clusterer.fit(records)
    clusterer.model_.provenance_ |= {"opening": inputs.to_remember(opening)} if loaded is None else {}
    return clusterer, records, True


def _beside(path: Path) -> Path:
    """Return the name of the picture of the scores of numbers of clusters, which lies beside that of the members."""
    return path.with_name(f"{path.stem}-evidence{path.suffix}")


def _about_pictures(picture: str | None, clusterer: Clusterer) -> list[str]:
    if picture is None:
        return []
    scores = [f"{_beside(Path(picture))}: scores of the numbers of clusters"] if clusterer.evidence_ is not None else []
    return [f"{picture}: medoids and most doubtful members", *scores]


def _draw(path: Path, clusterer: Clusterer, records: Data, *, force: bool) -> None:
    """Draw medoids and doubtful members; beside them the scores of numbers of clusters, where these were compared."""
    from isthmus.report import clusters
    from isthmus.report.gallery import write_picture

    write_picture(clusters.members(clusterer, records), path, force=force)
    if clusterer.evidence_ is not None:
        write_picture(clusters.evidence(clusterer.evidence_, clusterer.evidence_.best), _beside(path), force=force)


def _about(clusterer: Clusterer) -> list[str]:
    """Return what is known of the number of clusters, and of their stability."""
    lines = []
    if np.isfinite(clusterer.stability_):
        lines.append(f"stability: {clusterer.stability_:.3f} (mean adjusted Rand index between runs)")
    found = clusterer.evidence_
    if found is not None:
        scores = ", ".join(f"{k}: {score:.4g}" for k, score in zip(found.numbers, found.scores, strict=True))
        lines += [f"number of clusters: {found.best}, by the {found.title}", f"  {scores}"]
        if found.is_one_cloud:
            lines.append("  no split is real: the records are one cloud")
    return lines


def _table(clusterer: Clusterer, chances: np.ndarray, sizes: np.ndarray, is_new: bool) -> list[str]:
    """Return a line for each of the largest clusters."""
    labels, highest = chances.argmax(axis=1), chances.max(axis=1)
    head = ["cluster", "records", "mean probability", *(["medoid", "most doubtful"] if is_new else [])]
    body = []
    for one in range(min(clusterer.n_clusters_, LISTED)):
        mean = f"{highest[labels == one].mean():.3f}" if sizes[one] else ""
        rows = [f"{clusterer.medoids_[one]}", f"{clusterer.doubtful(one, 1)[0]}"] if is_new else []
        body.append([str(one), f"{sizes[one]:,}", mean, *rows])
    more = clusterer.n_clusters_ - len(body)
    return [*columns(head, body), *([f"... and {more} more"] if more else [])]
