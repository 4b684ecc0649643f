"""Verbs that measure a model without training it: score, compare, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from isthmus.cli import inputs, jobs, outputs, scoring
from isthmus.cli.terminal import Result, Terminal, columns

if TYPE_CHECKING:
    from isthmus.report import Report

__all__ = ["compare", "comparison_table", "report", "score"]


def score(
    terminal: Terminal,
    data: str,
    *,
    model: str = "model.safetensors",
    each: str | None = None,
    rows: str = "auto",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
    job: Mapping[str, Any],
) -> Result:
    """Score records: log-likelihood, bits per dimension and reconstruction error, with 95 % intervals.

    Parameters
    ----------
    each : str
        Write the scores of each record here: .csv, .tsv, .parquet or .npy. A name that ends in / is a folder of parts,
        which all processors work on, and which a second run completes.
    rows : {"auto", "held-out", "all"}
        Which records: held-out (those of the fit's data that it never saw), all, or auto: held-out where these are the
        data of the fit and --each is not given.

    Examples
    --------
    isthmus score new.csv
    isthmus score photos/ --each scores.csv --json
    isthmus score events/ --each scores/
    """
    if each is not None and jobs.is_asked("score", each, model, job):
        return jobs.run(terminal, "score", data, model, each, job, force=force, opening=opening, device=device)
    path = None if each is None else outputs.check_output(each, force, outputs.MATRICES, "--each")
    fitted = inputs.load_model(model, device)
    opened = inputs.open_for(terminal, fitted, data, opening)
    chosen, train = inputs.rows_to_judge(terminal, fitted, opened, "all" if each and rows == "auto" else rows)
    if path is None:
        found = scoring.score(fitted, chosen, train)
    else:
        each_record = scoring.Scoring(fitted, chosen, chosen if train is None else train)
        outputs.write_columns(path, each_record, chosen.names, force=force, n=len(chosen))
        found = each_record.scores()
    document = {"data": data, "model": model, **found.document()}
    lines = [f"{len(chosen):,} records of {opened.source}", *found.lines()]
    if path is not None:
        document["each"] = each
        terminal.say(f"{each}: log-likelihood and {found.error_name} of each record")
    return Result(document, lines)


def compare(
    terminal: Terminal,
    data: str,
    *,
    model: list[str] | None = None,
    rows: str = "auto",
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    opening: Mapping[str, Any],
) -> Result:
    """Compare models with PCA of the same code size, k-means and the mean, on the same held-out records.

    Parameters
    ----------
    data : str
        Records: best the data of the fit, of which the held-out ones are taken, and the others for the baselines.
    model : list of str
        The model's file, model.safetensors by default; may be given more than once.
    rows : {"auto", "held-out", "all"}
        Which records: held-out, all, or auto: held-out where these are the data of the fit.
    seed : int
        Of the baselines and the intervals.

    Examples
    --------
    isthmus compare digits
    isthmus compare survey.csv -m small.safetensors -m large.safetensors
    """
    documents = {}
    for path in model or ["model.safetensors"]:
        found = _evaluate(terminal, data, path, rows, seed, device, opening)
        documents[path] = found.to_dict()
    scores = {
        path: {"verdict": d["verdict"], "n": d["data"]["n_scored"], **d["scores"]} for path, d in documents.items()
    }
    lines = [*comparison_table(documents), "", *(document["verdict"] for document in documents.values())]
    return Result({"data": data, "models": scores}, lines)


def report(
    terminal: Terminal,
    data: str,
    *,
    model: str = "model.safetensors",
    output: str = "report.html",
    rows: str = "auto",
    no_samples: bool = False,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Write an HTML report on a model: scores and baselines, reconstructions, worst records, codes, new records.

    Parameters
    ----------
    data : str
        Records: best the data of the fit, of which the held-out ones are taken.
    output : str
        Where to: a name that ends in .html, or a folder; the figures go beside it as .json.
    rows : {"auto", "held-out", "all"}
        Which records: held-out, all, or auto: held-out where these are the data of the fit.
    no_samples : bool
        Leave new records out: samples beside their nearest neighbours, ways through the space of codes.
    seed : int
        Of the baselines, the intervals, new records and the choice of what is shown.

    Examples
    --------
    isthmus report digits
    isthmus report photos/ -m model.safetensors -o photos.html
    """
    page = outputs.check_page_output(output, force)
    found = _evaluate(terminal, data, model, rows, seed, device, opening, samples=not no_samples)
    page = found.write(page, force=force)
    figures = page.with_suffix(".json")
    document = {"page": str(page), "figures": str(figures), "verdict": found.to_dict()["verdict"]}
    return Result(document, [*found.summary().splitlines(), "", f"{page} (and {figures.name} beside it)"])


def _evaluate(
    terminal: Terminal,
    data: str,
    model: str,
    rows: str,
    seed: int,
    device: str | None,
    opening: Mapping[str, Any],
    *,
    samples: bool = False,
) -> Report:
    from isthmus.report import evaluate

    fitted = inputs.load_model(model, device)
    opened = inputs.open_for(terminal, fitted, data, opening)
    chosen, train = inputs.rows_to_judge(terminal, fitted, opened, rows)
    return evaluate(fitted, chosen, baseline_data=train, random_state=seed, samples=samples, command=terminal.command)


def comparison_table(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return a table of models and baselines by the measures that their reports have."""
    from isthmus.report.formatting import interval, number, percent

    first = next(iter(documents.values()))
    measures = first["scores"]["measures"]
    head = ["", measures[0]["title"], "95 % interval", *(measure["title"] for measure in measures[1:])]
    body = []
    for name, row in _rows(documents):
        cells = [name]
        for index, measure in enumerate(measures):
            value = row.get(measure["key"])
            mean = None if value is None else value["mean"]
            cells.append(percent(mean) if measure["key"] == "share" else number(mean))
            cells += [interval(value)] if index == 0 else []
        body.append(cells)
    return columns(head, body)


def _rows(documents: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield models first, then every baseline once, each with its name."""
    for path, document in documents.items():
        row = document["scores"]["rows"][0]
        beside = f" ({path})" if len(documents) > 1 else ""
        yield f"{row['title']}, code of {row['code_size']}{beside}", row
    seen = set()
    for document in documents.values():
        for row in document["scores"]["rows"][1:]:
            if row["title"] not in seen:
                seen.add(row["title"])
                yield row["title"], row
